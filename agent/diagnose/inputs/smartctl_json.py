"""What ``smartctl --json`` printed, of one drive or of several in a row, whoever put its members into which order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from agent.diagnose.capture import Capture
from agent.diagnose.files import InputRefused, read_all
from agent.diagnose.inputs._input import Input
from agent.diagnose.inputs._plain_text import utf_8
from agent.diagnose.inputs._reports import DRIVES_MOST, in_a_row
from agent.model import Text

SIZE_CAP = 4 * 1024 * 1024
"""Bytes; ours. The longest reports (``-x`` with the text inside, indented) have 200 KB."""

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"(?P<key>\s*:)?|[{}\[\]"]', re.DOTALL)
_TOLD_BY = (
    {b"smartctl", b"json_format_version"},
    {b"smartctl", b"device"},
    {b"device", b"smart_status"},
    {b"device", b"model_name", b"serial_number"},
    {b"ata_smart_attributes"},
    {b"nvme_smart_health_information_log"},
    {b"scsi_error_counter_log"},
)
"""Members of the outermost object of which all of one set tell a report: smartctl's first ones, what is left of it
where another program has kept only what it needed, and what comes early where one has sorted them by name.
"""
_HINT = re.compile(
    rb'"(?:smartctl|device|ata_smart_attributes|nvme_smart_health_information_log|scsi_error_counter_log)"'
)
_BEFORE = re.compile(rb"\s*(?:[^\n{]{0,80}[#$>] *(?:sudo +)?[^ \n]*smartctl [^\n{]*\n\s*)?(?:\[\s*)?(?=\{)")
"""What may stand before a report: how it was asked for, the beginning of a list."""
_NAME = re.compile(rb'"device"\s*:\s*\{[^{}]{0,400}?"name"\s*:\s*"/dev/([A-Za-z0-9/,._-]{1,60})"')


class SmartctlJsonInput(Input):
    """See the module."""

    name = "smartctl-json"

    def recognises(self, head: bytes) -> bool:
        """By the names of its members, so that what holds a report within (a capture) is none."""
        return _is_report(_from_first(utf_8(head)))

    def read(self, path: Path) -> Capture:
        """A piece of evidence for each report; its subject is the device that was asked. A list of drives (``--scan``)
        is refused.
        """
        data = utf_8(read_all(path, SIZE_CAP))
        if not data.strip():
            raise InputRefused(Text("there is nothing in the file"))
        if b'"devices"' in data:
            members = set(_members(_from_first(data) or data))
            if b"devices" in members and b"device" not in members:
                raise InputRefused(Text("the file lists drives, but holds no report of one"))
        return in_a_row(path, ((_called(report), report) for report in _reports(data)), "smartctl-json")


def _called(report: bytes) -> str:
    named = _NAME.search(report)
    return named[1].decode() if named else "disk"


def _from_first(text: bytes) -> bytes:
    """The text from its first report on; nothing where it begins with anything else."""
    before = _BEFORE.match(text)
    return text[before.end() :] if before else b""


def _is_report(text: bytes) -> bool:
    if not _HINT.search(text):
        return False
    members = set()
    for member in _members(text):
        members.add(member)
        if any(told <= members for told in _TOLD_BY):  # asked each time: the first members are soon read
            return True
    return False


def _reports(text: bytes) -> list[bytes]:
    """The first object, whatever it is, and those after it that are reports."""
    first, *others = _objects(_from_first(text) or text)
    return [first, *filter(_is_report, others)]


def _objects(text: bytes) -> list[bytes]:
    """The outermost objects, the last of them perhaps without its end; the text as it is where there is none."""
    found: list[bytes] = []
    depth = start = 0
    for token in _TOKEN.finditer(text):
        if token[0] in (b"{", b"["):
            if depth == 0 and token[0] == b"{":
                start = token.start()
            depth += 1
        elif token[0] in (b"}", b"]") and depth:
            depth -= 1
            if depth == 0 and len(found) < DRIVES_MOST:
                found.append(text[start : token.end()])
        elif token[0] == b'"':  # a string without an end
            break
    return [*found, text[start:]] if depth or not found else found


def _members(text: bytes) -> Iterator[bytes]:
    """The names of the members of the first object, as far as the text goes."""
    depth = 0
    for token in _TOKEN.finditer(text):
        if token["key"] is not None and depth == 1:
            yield token[0].removesuffix(token["key"]).strip(b'"')
        elif token[0] in (b"{", b"["):
            depth += 1
        elif token[0] in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                break
        elif token[0] == b'"':  # a string without an end
            break


INPUT = SmartctlJsonInput()
