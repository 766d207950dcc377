"""What ``smartctl --json`` printed of one drive, whoever put its members into which order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from agent.diagnose.capture import Capture
from agent.diagnose.files import InputRefused, read_all
from agent.diagnose.inputs._alone import alone
from agent.diagnose.inputs._input import Input
from agent.diagnose.inputs._plain_text import utf_8
from agent.model import Text

SIZE_CAP = 4 * 1024 * 1024
"""Bytes; ours. The longest reports (``-x`` with the text inside, indented) have 200 KB."""

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"(?P<key>\s*:)?|[{}\[\]"]', re.DOTALL)
_TOLD_BY = (
    {b"smartctl", b"json_format_version"},
    {b"smartctl", b"device"},
    {b"device", b"smart_status"},
    {b"device", b"model_name", b"serial_number"},
    {b"device", b"ata_smart_attributes"},
    {b"device", b"nvme_smart_health_information_log"},
    {b"device", b"scsi_error_counter_log"},
)
"""Members of the outermost object of which all of one set tell a report: smartctl's first ones, and what is left of it
where another program has kept only what it needed."""
_NAME = re.compile(rb'"device"\s*:\s*\{[^{}]{0,400}?"name"\s*:\s*"/dev/([A-Za-z0-9/,._-]{1,60})"')


class SmartctlJsonInput(Input):
    """See the module."""

    name = "smartctl-json"

    def recognises(self, head: bytes) -> bool:
        """By the names of its members, so that what holds a report within (a capture) is none."""
        text = utf_8(head).lstrip()
        if not text.startswith(b"{") or not (b'"smartctl"' in text or b'"device"' in text):
            return False
        members = set()
        for member in _members(text):
            members.add(member)
            if any(told <= members for told in _TOLD_BY):  # asked each time: the first members are soon read
                return True
        return False

    def read(self, path: Path) -> Capture:
        """The subject is the device that was asked. A list of drives (``--scan``) is refused."""
        data = utf_8(read_all(path, SIZE_CAP))
        if not data.strip():
            raise InputRefused(Text("there is nothing in the file"))
        if b'"devices"' in data:
            members = set(_members(data))
            if b"devices" in members and b"device" not in members:
                raise InputRefused(Text("the file lists drives, but holds no report of one"))
        named = _NAME.search(data)
        return alone(path, data, "smartctl-json", ["storage"], subject=named[1].decode() if named else "disk")


def _members(text: bytes) -> Iterator[bytes]:
    """The names of the members of the outermost object, as far as the text goes."""
    depth = 0
    for token in _TOKEN.finditer(text):
        if token["key"] is not None and depth == 1:
            yield token[0].removesuffix(token["key"]).strip(b'"')
        elif token[0] in (b"{", b"["):
            depth += 1
        elif token[0] in (b"}", b"]"):
            depth -= 1
        elif token[0] == b'"':  # a string without an end
            break


INPUT = SmartctlJsonInput()
