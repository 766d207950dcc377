"""A kernel log: what ``dmesg`` or ``journalctl`` gave, a syslog file, or an excerpt of one, even a single line."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from agent.diagnose.capture import Capture
from agent.diagnose.files import InputRefused, open_plain
from agent.diagnose.inputs._alone import alone
from agent.diagnose.inputs._input import Input
from agent.model import Gap, Outcome, Text
from agent.probes._kernel_lines import LINE_CAP, LINES_MOST, TEXT_MOST, is_stamped
from agent.probes._kernel_messages import speak_of_hardware

READ_MOST = TEXT_MOST
"""Bytes of a log that are read, the last ones, which are the newest; the probe looks at no more, and at no more lines
than ``LINES_MOST`` of them."""

_LINES_LOOKED_AT = 400
_WORDED = 3  # lines without a time that begin as the kernel's do
_KERNEL_LINES = re.compile(
    r"(?:Linux version \d|Command line: |BIOS-e820: |ACPI: |PCI: |pci \w{4}:|pcieport \w{4}:|usb(?:core)?[ :]|hub \d-|"
    r"scsi host\d|sd \d+:|ata\d+|nvme nvme\d|EXT4-fs|BTRFS|XFS|systemd\[1\]: |Freeing |NET: |input: |clocksource: |"
    r"Call Trace:|RIP: |CPU: \d)"
)

# A record of firmware begins with its number: "{3}[Hardware Error]: ".
_JSON = re.compile(r"\s*(?:\{(?!\d{1,9}\}\[)|\[\s*(?:[\[{\"]|$))")


class KernelLogInput(Input):
    """See the module."""

    name = "kernel-log"
    marked = False

    def recognises(self, head: bytes) -> bool:
        """Text with a line that has a log's time (and sender), or is a message of the kernel by its wording."""
        if b"\0" in head or head.startswith((b"PK", b"\xff")):
            return False
        lines = head.decode("utf-8", "replace").split("\n")[:_LINES_LOOKED_AT]
        if _JSON.match(lines[0]):
            return is_stamped(lines[0]) or any(line.lstrip()[:7] == '"dmesg"' for line in lines[:3])
        if any(map(is_stamped, lines)):
            return True
        plain = [line.lstrip("> |\t")[:LINE_CAP] for line in lines]
        return sum(_KERNEL_LINES.match(line) is not None for line in plain) >= _WORDED or speak_of_hardware(plain)

    def read(self, path: Path) -> Capture:
        """The last :data:`READ_MOST` bytes; that there is more than is looked at is a gap."""
        data, whole = _tail(path)
        if not data.strip():
            raise InputRefused(Text("the log is empty"))
        capture = alone(path, data, "kernel-log", ["kernel_log"])
        if whole:
            return capture
        most = {"lines": LINES_MOST, "size": READ_MOST >> 20}
        reason = Text("only the last {lines} lines of the log, at most {size} MiB, were looked at", most)
        gap = Gap("", Outcome.SKIPPED, reason)
        return replace(capture, steps=tuple(replace(step, gaps=(gap,)) for step in capture.steps))


def _tail(path: Path) -> tuple[bytes, bool]:
    try:
        with open_plain(path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - READ_MOST))
            data = file.read(READ_MOST)
            return data, size <= READ_MOST and data.count(b"\n") <= LINES_MOST
    except OSError as e:
        raise InputRefused(Text("could not be read: {error}", {"error": e.strerror or str(e)})) from e


INPUT = KernelLogInput()
