"""What ``sensors`` of lm-sensors prints, in °C or °F, with or without ``-u``, quoted in a mail or not."""

from __future__ import annotations

from pathlib import Path

from agent.diagnose.capture import Capture
from agent.diagnose.files import read_all
from agent.diagnose.inputs._alone import alone
from agent.diagnose.inputs._input import Input
from agent.diagnose.inputs._plain_text import plain_text
from agent.diagnose.inputs._sensed import SIZE_CAP, areas_of
from agent.probes._sensors import is_text, parse_text


class SensorsTextInput(Input):
    """See the module."""

    name = "sensors-text"

    def recognises(self, head: bytes) -> bool:
        """A chip's name on a line of its own, and a value below it."""
        return is_text(plain_text(head))

    def read(self, path: Path) -> Capture:
        """One text for every area that it has values of."""
        text = plain_text(read_all(path, SIZE_CAP))
        return alone(path, text.encode(), "sensors-text", areas_of(parse_text(text)))


INPUT = SensorsTextInput()
