"""What ends a command early: one clear line, and the exit status that belongs to it."""

from __future__ import annotations

from agent.model import Text

USAGE = 2
INCOMPLETE = 3
STOPPED = 130


class Problem(Exception):
    """One line for the person; ``status`` is 2 for usage and bad input, 3 where something could not be done."""

    def __init__(self, text: Text, status: int = USAGE) -> None:
        super().__init__(str(text))
        self.text = text
        self.status = status
