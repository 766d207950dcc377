"""A capture: the raw evidence of a run as a text file (``agent.diagnose.capture_file``)."""

from __future__ import annotations

from pathlib import Path

from agent.diagnose.capture import Capture
from agent.diagnose.capture_file import FORMAT, SIZE_CAP, decode
from agent.diagnose.files import InputRefused, read_all
from agent.diagnose.inputs._input import Input
from agent.model import Text
from uploader.strict_json import Malformed


class CaptureInput(Input):
    """See the module."""

    name = "capture"

    def recognises(self, head: bytes) -> bool:
        """A JSON object that names the format."""
        return head.lstrip().startswith(b"{") and f'"{FORMAT}"'.encode() in head

    def read(self, path: Path) -> Capture:
        """Read strictly: what is not understood is refused, not passed over."""
        data = read_all(path, SIZE_CAP)
        try:
            return decode(data)
        except Malformed as e:
            raise InputRefused(Text("this is not a capture: {error}", {"error": str(e)[:300]})) from e


INPUT = CaptureInput()
