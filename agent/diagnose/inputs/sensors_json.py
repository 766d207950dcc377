"""What ``sensors -j`` of lm-sensors prints, also where that is no valid JSON."""

from __future__ import annotations

from pathlib import Path

from agent.diagnose.capture import Capture
from agent.diagnose.files import read_all
from agent.diagnose.inputs._alone import alone
from agent.diagnose.inputs._input import Input
from agent.diagnose.inputs._plain_text import plain_text
from agent.diagnose.inputs._sensed import SIZE_CAP, areas_of
from agent.probes._sensors import is_json, parse_json


class SensorsJsonInput(Input):
    """See the module."""

    name = "sensors-json"

    def recognises(self, head: bytes) -> bool:
        """An object whose first level are chips, and a value in one."""
        return is_json(plain_text(head))

    def read(self, path: Path) -> Capture:
        """One text for every area that it has values of."""
        text = plain_text(read_all(path, SIZE_CAP))
        return alone(path, text.encode(), "sensors-json", areas_of(parse_json(text)))


INPUT = SensorsJsonInput()
