"""The text that ``dmidecode`` prints, with or without ``-q``: who a unit is, its memory, its firmware."""

from __future__ import annotations

import re
from pathlib import Path

from agent.diagnose.capture import Capture
from agent.diagnose.files import read_all
from agent.diagnose.inputs._alone import alone
from agent.diagnose.inputs._input import Input
from agent.diagnose.inputs._plain_text import plain_text
from agent.diagnose.inputs._tables import areas_of
from agent.probes._dmi import parse_dmidecode

SIZE_CAP = 4 * 1024 * 1024
"""Bytes; ours, ten times what a large server's tables make."""

_HANDLE = re.compile(
    r"^[ \t]*Handle 0x[0-9A-Fa-f]{4,8}(?:, DMI type [0-9]{1,3}, [0-9]{1,4} bytes|\s{0,8}\n[ \t]*DMI type [0-9])",
    re.MULTILINE,
)
_QUIET = re.compile(
    r"^(?:BIOS|System|Base Board|Chassis|Processor) Information\r?\n[ \t]+[A-Z][A-Za-z -]{2,30}: ", re.MULTILINE
)


class DmidecodeInput(Input):
    """See the module."""

    name = "dmidecode"

    def recognises(self, head: bytes) -> bool:
        """The handle and type of a structure, or a title with a field below it."""
        text = plain_text(head)
        # Plain words first: what is tied to the beginning of a line is tried at every character.
        handle = "Handle 0x" in text and _HANDLE.search(text)
        return bool(handle or (" Information" in text and _QUIET.search(text)))

    def read(self, path: Path) -> Capture:
        """One text for every area that it has structures of."""
        text = plain_text(read_all(path, SIZE_CAP))
        return alone(path, text.encode(), "dmidecode", areas_of(parse_dmidecode(text)))


INPUT = DmidecodeInput()
