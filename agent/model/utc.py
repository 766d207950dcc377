"""How the project writes a moment."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_text(moment: datetime) -> str:
    """``moment`` in UTC with milliseconds, ISO 8601 with ``Z`` (RFC 3339, as OCP's ``timestamp`` wants it)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
