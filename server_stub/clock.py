"""The receiver's time. The device's own clock is shown, and never decides anything."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Now, UTC."""
    return datetime.now(UTC)


def iso(time: datetime) -> str:
    """``2026-11-23T14:27:27Z``."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
