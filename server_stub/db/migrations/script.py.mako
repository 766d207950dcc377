"""${message.strip()[:1].upper()}${message.strip()[1:].rstrip(".")}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """From ``down_revision`` to ``revision``, on either database."""
    ${upgrades if upgrades else "pass"}
