"""Where the agent keeps its things, and what the environment says."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from agent.cli.problem import INCOMPLETE, Problem
from agent.model import Text

if TYPE_CHECKING:
    from pathlib import Path

STATE_VARIABLE = "AIODIAG_STATE"
SERVER_VARIABLE = "AIODIAG_SERVER"
RATE_VARIABLE = "AIODIAG_LIMIT_RATE"


def state_directory() -> Path:
    """The directory of runs, outbox and key: ``$AIODIAG_STATE``; ``/var/lib/aiodiag`` for root; else below
    ``$XDG_STATE_HOME`` or ``~/.local/state`` (XDG Base Directory Specification). Made on first use, 0700.

    Raises :class:`Problem` for one that another user owns or can write: it holds the device's key, and root would be
    led by the nose there. Raises ``OSError`` where it cannot be made.
    """
    from pathlib import Path

    chosen = os.environ.get(STATE_VARIABLE)
    if chosen:
        directory = Path(chosen)
    elif os.geteuid() == 0:
        directory = Path("/var/lib/aiodiag")
    else:
        home = os.environ.get("XDG_STATE_HOME")
        directory = (Path(home) if home else _home() / ".local" / "state") / "aiodiag"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.stat()
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        text = Text("{path} must belong to you, and nobody else may have access to it", {"path": str(directory)})
        raise Problem(text, INCOMPLETE)
    return directory


def _home() -> Path:
    from pathlib import Path

    try:
        return Path.home()
    except RuntimeError as e:  # neither $HOME nor an entry in passwd(5)
        raise OSError(errno.ENOENT, f"no home directory; set {STATE_VARIABLE}") from e


def server_address(given: str | None) -> str | None:
    """The receiver's address: as given, else ``$AIODIAG_SERVER``; ``None`` when nobody said."""
    return given or os.environ.get(SERVER_VARIABLE) or None


def rate_limit(given: str | None) -> int | None:
    """How many bytes a second of the line may be taken: as given, else ``$AIODIAG_LIMIT_RATE``; ``None`` when nobody
    said. A number with ``k`` (1000) or ``M`` (1 000 000) behind it or without. Raises :class:`Problem`.
    """
    typed = given or os.environ.get(RATE_VARIABLE)
    if not typed:
        return None
    from uploader.pace import LEAST_RATE

    factor = {"k": 1_000, "M": 1_000_000}.get(typed[-1], 1)
    number = typed[:-1] if factor > 1 else typed
    rate = int(number) * factor if number.isascii() and number.isdigit() and len(number) < 10 else 0
    if rate < LEAST_RATE:
        values = {"typed": typed[:64], "least": f"{LEAST_RATE // 1000}k"}
        raise Problem(Text("{typed} is no speed; give bytes a second, at least {least}, as in 500k or 2M", values))
    return rate
