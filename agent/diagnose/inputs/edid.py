"""The EDID of a display: its bytes, or a text in which some program printed them (:mod:`agent.probes.panel.hex_text`).

A text may hold those of several displays (``xrandr --verbose``): each is then evidence of its own, named by its output.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from agent.diagnose.capture import Capture
from agent.diagnose.files import read_all
from agent.diagnose.inputs._alone import alone
from agent.diagnose.inputs._input import Input
from agent.diagnose.inputs._plain_text import plain_text
from agent.probes.panel.edid import resembles
from agent.probes.panel.hex_text import edids, has_edid

SIZE_CAP = 512 * 1024
"""Bytes; ours. An EDID has 32 KiB at most, the log around it some more."""

_HINT = re.compile(r"ff[^0-9a-z]{0,4}(?:0x)?ff")
"""What even a damaged header has, however it is printed, in small letters: looked for first, as it takes no time."""


class EdidInput(Input):
    """See the module."""

    name = "edid"

    def recognises(self, head: bytes) -> bool:
        """Bytes that begin with the header, or a dump in a text that does."""
        if resembles(head):
            return True
        text = plain_text(head)
        return bool(_HINT.search(text.lower()) and has_edid(text))

    def read(self, path: Path) -> Capture:
        """The file as it is; where it holds several, the bytes of each."""
        data = read_all(path, SIZE_CAP)
        found = [] if resembles(data) else edids(plain_text(data))
        if not found:
            return alone(path, data, "edid", ["panel"])
        captures = [alone(path, edid.data, "edid", ["panel"], subject=edid.output) for edid in found]
        evidence = tuple(piece for capture in captures for step in capture.steps for piece in step.evidence)
        return replace(captures[0], steps=(replace(captures[0].steps[0], evidence=evidence),))


INPUT = EdidInput()
