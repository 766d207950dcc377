"""What a kind of input is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from agent.diagnose.capture import Capture


class Input(ABC):
    """A kind of file that holds evidence.

    A kind is one module of ``agent.diagnose.inputs`` named like it (``-`` written ``_``), with one instance of a
    subclass as ``INPUT``.
    """

    name: ClassVar[str]
    marked: ClassVar[bool] = True
    """Whether its files carry a mark of their own, which is soon looked for; a kind without one is tried last."""

    @abstractmethod
    def recognises(self, head: bytes) -> bool:
        """Whether a file that begins so is of this kind. Pure; never raises."""

    @abstractmethod
    def read(self, path: Path) -> Capture:
        """The evidence in a file. Reads no more than it has caps for. Raises
        :class:`agent.diagnose.files.InputRefused`, with a reason for the person, for one that it cannot take.
        """
