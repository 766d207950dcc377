"""The rich console of the agent."""

from __future__ import annotations

from typing import NoReturn

from rich.console import Console


class AgentConsole(Console):
    """A console that lets its reader's going away be known: rich's own would exit with 1, "a fault was found"."""

    def on_broken_pipe(self) -> NoReturn:
        """Called by rich while it handles the ``BrokenPipeError``."""
        raise BrokenPipeError
