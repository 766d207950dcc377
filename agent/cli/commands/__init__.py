"""One module per command: ``register`` adds its arguments, ``run`` does it and returns the exit status.

They import what they need when they run: ``aiodiag --help`` must be there at once.
"""

from __future__ import annotations

import argparse
from typing import Protocol


class Subparsers(Protocol):
    """What ``argparse`` gives for adding commands (its own type has no public name)."""

    def add_parser(
        self, name: str, *, parents: list[argparse.ArgumentParser], help: str, description: str
    ) -> argparse.ArgumentParser:
        """Add a command."""
