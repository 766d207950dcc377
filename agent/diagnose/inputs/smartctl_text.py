"""What smartctl printed for people: ``-i``, ``-H``, ``-A``, ``-a`` or ``-x``, of one drive or of several in a row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from agent.diagnose.capture import Capture
from agent.diagnose.files import InputRefused, read_all
from agent.diagnose.inputs._input import Input
from agent.diagnose.inputs._plain_text import plain_text
from agent.diagnose.inputs._reports import DRIVES_MOST, in_a_row
from agent.model import Text

SIZE_CAP = 1024 * 1024
"""Bytes; ours. The longest reports have 50 KB."""

_START = re.compile(
    r"smartctl (?:version |pre-)?[0-9]\.[0-9]|=== START OF (?:INFORMATION|(?:READ )?SMART DATA) SECTION ==="
)
_MARGIN = re.compile(rf"^([ \t>]{{1,40}})(?:{_START.pattern})", re.MULTILINE)
_ANCHORS = (
    "Model Family:", "Device Model:", "Model Number:", "Firmware Version:", "User Capacity:", "LU WWN Device Id:",
    "PCI Vendor/Subsystem ID:", "IEEE OUI Identifier:", "Logical Unit id:", "Transport protocol:",
    "SMART support is:", "SMART overall-health self-assessment test result:", "SMART Health Status:",
    "General SMART Values:", "SMART Attributes Data Structure revision number:",
    "Vendor Specific SMART Attributes with Thresholds:", "ID# ATTRIBUTE_NAME", "SMART Error Log Version:",
    "SMART Extended Comprehensive Error Log Version:", "SMART Extended Self-test Log Version:",
    "SMART Self-test log",
    "SMART/Health Information (NVMe Log", "Error Information (NVMe Log", "Elements in grown defect list:",
    "SCT Status Version:",
)  # fmt: skip
"""How lines begin that only smartctl prints so, at the very beginning of a line."""
_LOG_LINE = re.compile(r"(?:<[0-9]+>)?\[ *[0-9]+\.[0-9]{6}\]|[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} ")
_PROMPT = re.compile(r"[^\n]{0,80}[#$>] *(?:sudo +)?[^ ]*smartctl ")
_HEAD_LINE = re.compile(r"^smartctl (?:version |pre-)?[0-9]\.[0-9]")
_INFORMATION = "=== START OF INFORMATION SECTION ==="
_CALLED = re.compile(r"^(?:Device Model|Model Number|Product): +(\S.{0,60})", re.MULTILINE)


class SmartctlTextInput(Input):
    """See the module."""

    name = "smartctl-text"

    def recognises(self, head: bytes) -> bool:
        """It begins as smartctl begins, or has two of its lines; and it is no log of a kernel that somebody put a
        report into.
        """
        lines = [line for line in _flush_left(plain_text(head)).splitlines() if line.strip()]
        if any(map(_LOG_LINE.match, lines)):
            return False
        first = next((line for line in lines if not _PROMPT.match(line)), "")
        return bool(_START.match(first)) or len({a for a in _ANCHORS if any(x.startswith(a) for x in lines)}) > 1

    def read(self, path: Path) -> Capture:
        """A piece of evidence for each report in the file; its subject is the drive's model."""
        text = _flush_left(plain_text(read_all(path, SIZE_CAP)))
        if not text.strip():
            raise InputRefused(Text("there is nothing in the file"))
        reports = ((_called(report), report.encode("utf-8", "replace")) for report in _reports(text))
        return in_a_row(path, reports, "smartctl-text")


def _called(report: str) -> str:
    called = _CALLED.search(report)
    return "".join(filter(str.isprintable, called[1])).strip() if called else "disk"


def _flush_left(text: str) -> str:
    """The text without the margin of a report that somebody has set in or quoted, and with blanks for tabs."""
    margin = _MARGIN.search(text)
    return (re.sub(f"^{re.escape(margin[1])}", "", text, flags=re.MULTILINE) if margin else text).expandtabs()


def _reports(text: str) -> Iterator[str]:
    """The reports in a text, one for each drive: a new one begins with smartctl's first line or, where that is missing,
    with a second section of information.
    """
    lines = text.splitlines(keepends=True)
    starts, informed = [0], False
    for n, line in enumerate(lines):
        informs = line.startswith(_INFORMATION)
        if len(starts) < DRIVES_MOST and ((_HEAD_LINE.match(line) and n) or (informs and informed)):
            # what stands before the first report (a prompt, a greeting) is no report
            starts = [n] if starts == [0] and not informed and not _says_anything(lines[:n]) else [*starts, n]
            informed = False
        informed = informed or informs
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield "".join(lines[start:end])


def _says_anything(lines: list[str]) -> bool:
    return any(line.startswith(anchor) for line in lines for anchor in _ANCHORS)


INPUT = SmartctlTextInput()
