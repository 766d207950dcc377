"""A report of smartctl in text -> the document that its JSON would have been, as far as ``_smart_json`` reads it.

So both have one meaning, judged in one place. Every line is looked at for itself, for a report from a stranger may lack
its head, its tail or anything between; a line that nobody knows is passed over. Covers what ``-i``, ``-H``, ``-a``,
``-x`` print, versions 5.3x to 7.4 (smartmontools ataprint.cpp, nvmeprint.cpp, scsiprint.cpp), in every ``-f`` format,
with the digit groups of any locale, and with columns of any width: a web page leaves one blank between them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agent.probes.storage._report_ata import ata
from agent.probes.storage._report_numbers import celsius_in, number, percent_in
from agent.probes.storage._report_nvme import nvme
from agent.probes.storage._report_scsi import scsi

_LINE_CAP = 300
_LINES_CAP = 10_000
"""Characters of a line and lines of a report; ours. The longest lines have 120, the longest report (``-x`` with all
SCT temperatures and 20 kept errors) 1500 lines."""

_OLD_SCSI_DEVICE = re.compile(r"Device: (.+?) +Version: *(\S*)")
_VERDICT = re.compile(r"SMART overall-health self-assessment test result: *([A-Z]+)")
_FAILED_CALL = re.compile(
    r"(?:Smartctl open device|Read [A-Z]\S+|Unable to detect|/dev/\S+: Un(?:able|known) ).*", re.IGNORECASE
)

_NAMES = {
    "Device Model": "model_name",
    "Model Number": "model_name",
    "Model Family": "model_family",
    "Serial Number": "serial_number",
    "Serial number": "serial_number",
    "Firmware Version": "firmware_version",
    "Revision": "firmware_version",
    "Vendor": "scsi_vendor",
}
_SIZES = (
    "User Capacity",
    "Total NVM Capacity",
    "Namespace 1 Size/Capacity",
    "Namespace 1 Size",
    "Namespace 1 Capacity",
)


def document_of(lines: Sequence[str]) -> dict[str, Any]:
    """The document; empty where no line says anything of a drive."""
    report = [line[:_LINE_CAP].rstrip() for line in lines[:_LINES_CAP]]
    return {**_information(report), **ata(report), **nvme(report), **scsi(report)}


def _information(lines: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    messages = []
    for line in lines:
        label, _, value = line.partition(": ")
        if value:
            _say(" ".join(label.split()), value.lstrip(), found)
        if (old := _OLD_SCSI_DEVICE.match(line)) and "scsi_model_name" not in found:
            found |= {"scsi_model_name": old[1], "firmware_version": old[2]}
        if "self-assessment" in line and (verdict := _VERDICT.search(line)):
            found["smart_status"] = {"passed": {"PASSED": True, "FAILED": False}.get(verdict[1])}
        if ("failed" in line or "Un" in line) and (failed := _FAILED_CALL.search(line)):
            messages.append({"string": failed[0]})
    return {**found, "smartctl": {"messages": messages}} if messages else found


def _say(label: str, value: str, found: dict[str, Any]) -> None:
    """What one line ``label: value`` of the section of information says; the first of its kind counts."""
    if label in _NAMES:
        found.setdefault(_NAMES[label], value)
    elif label in _SIZES:
        found.setdefault("user_capacity", {"bytes": number(value.partition("bytes")[0])})
    elif label == "Product":
        found.setdefault("scsi_model_name", f"{found.get('scsi_vendor', '')} {value}".strip())
    elif label == "Rotation Rate":
        found.setdefault("rotation_rate", 0 if value.startswith("Solid") else number(value))
    elif label == "SMART support is" and value.startswith(("Available", "Unavailable")):
        found["smart_support"] = {"available": value.startswith("Available")}
    elif label == "Percentage used endurance indicator":
        found["scsi_percentage_used_endurance_indicator"] = percent_in(value)
    elif label == "Warning Comp. Temp. Threshold":
        found["nvme_composite_temperature_threshold"] = {"warning": celsius_in(value)}
