"""Where the agent keeps its things, and what the environment says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

STATE_VARIABLE = "AIODIAG_STATE"
SERVER_VARIABLE = "AIODIAG_SERVER"


def state_directory() -> Path:
    """The directory of runs, outbox and key: ``$AIODIAG_STATE``; ``/var/lib/aiodiag`` for root; else below
    ``$XDG_STATE_HOME`` or ``~/.local/state`` (XDG Base Directory Specification). Made on first use, 0700.
    """
    from pathlib import Path

    chosen = os.environ.get(STATE_VARIABLE)
    if chosen:
        directory = Path(chosen)
    elif os.geteuid() == 0:
        directory = Path("/var/lib/aiodiag")
    else:
        home = os.environ.get("XDG_STATE_HOME")
        directory = (Path(home) if home else Path.home() / ".local" / "state") / "aiodiag"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory


def server_address(given: str | None) -> str | None:
    """The receiver's address: as given, else ``$AIODIAG_SERVER``; ``None`` when nobody said."""
    return given or os.environ.get(SERVER_VARIABLE) or None
