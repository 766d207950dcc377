"""How Alembic gets at the database: by the connection that ``server_stub.db.schema`` hands over."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy import Enum, TypeDecorator

from server_stub.db import Base


def _plain(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """A new migration names plain types: ours may change, and what a migration does must not."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    if kind == "type" and isinstance(item, Enum):
        return f"sa.String(length={item.length})"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot change a table; Alembic then makes it anew
    render_item=_plain,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
