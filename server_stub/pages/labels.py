"""The words for what the database and a journal say in code."""

from __future__ import annotations

from agent.model import Text
from server_stub.db import CaseStatus

STATUS = {
    CaseStatus.REQUEST: Text("Request"),
    CaseStatus.APPROVAL: Text("Approval"),
    CaseStatus.REPAIR: Text("Repair"),
    CaseStatus.SHIPPING: Text("Shipping"),
    CaseStatus.QUALITY_CONTROL: Text("Quality control"),
    CaseStatus.FEEDBACK: Text("Your feedback"),
    CaseStatus.CLOSURE: Text("Closed"),
}

VERDICT = {
    "pass": Text("Nothing wrong was found"),
    "fail": Text("A fault was found"),
    "incomplete": Text("Could not be judged completely"),
    "unknown": Text("Not certain"),
    "": Text("Not judged"),
}

SEVERITY = {"critical": Text("Critical"), "warning": Text("Warning"), "info": Text("Note")}

OUTCOME = {
    "pass": Text("passed"),
    "fail": Text("failed"),
    "unsupported": Text("not possible here"),
    "skipped": Text("skipped"),
    "error": Text("the tool failed"),
    "interrupted": Text("interrupted"),
    "": Text("not finished"),
}

WARRANTY = {
    "chassis": Text("Chassis"),
    "lcd": Text("LCD"),
    "motherboard": Text("Motherboard"),
    "spare-part": Text("Spare part"),
}

EVENT = {
    "case-opened": Text("The case was opened"),
    "key-enrolled": Text("The key of the unit was enrolled"),
    "key-quarantined": Text("Another key asked to speak for the unit; it was set aside for service staff"),
    "upload-started": Text("A diagnosis is being uploaded"),
    "bundle-accepted": Text("A diagnosis was received and verified"),
    "bundle-quarantined": Text("A diagnosis was received but not accepted; it is kept for service staff"),
}

COMPONENT = {
    "panel": Text("Panel"),
    "backlight": Text("Backlight"),
    "touch": Text("Touch"),
    "motherboard": Text("Motherboard"),
    "cpu": Text("Processor"),
    "memory-module": Text("Memory module"),
    "storage-device": Text("Storage device"),
    "fan": Text("Fan"),
    "power-supply": Text("Power supply"),
    "camera": Text("Camera"),
    "speaker": Text("Speaker"),
    "microphone": Text("Microphone"),
    "wifi": Text("Wi-Fi"),
    "ethernet": Text("Ethernet"),
    "usb-port": Text("USB"),
    "rtc-battery": Text("Clock battery"),
    "chassis": Text("Chassis"),
}
