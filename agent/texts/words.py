"""The words for outcomes, verdicts, components and areas, as a person reads them."""

from __future__ import annotations

from agent.model import ComponentKind, Outcome, RunVerdict, Severity, Text
from agent.model.step_name import plain
from agent.texts import render

OUTCOMES = {
    Outcome.PASS: Text("looked at"),
    Outcome.FAIL: Text("failed"),
    Outcome.UNSUPPORTED: Text("not available"),
    Outcome.SKIPPED: Text("skipped"),
    Outcome.ERROR: Text("could not be checked"),
    Outcome.INTERRUPTED: Text("interrupted"),
}

VERDICTS = {
    RunVerdict.PASS: Text("Nothing wrong was found."),
    RunVerdict.FAIL: Text("A fault was found."),
    RunVerdict.INCOMPLETE: Text("This could not be judged: parts that matter could not be looked at."),
}

SEVERITIES = {
    Severity.INFO: Text("note"),
    Severity.WARNING: Text("warning"),
    Severity.CRITICAL: Text("serious"),
}

COMPONENTS = {
    ComponentKind.PANEL: Text("screen"),
    ComponentKind.BACKLIGHT: Text("backlight"),
    ComponentKind.TOUCH: Text("touch screen"),
    ComponentKind.MOTHERBOARD: Text("mainboard"),
    ComponentKind.CPU: Text("processor"),
    ComponentKind.MEMORY_MODULE: Text("memory module"),
    ComponentKind.STORAGE_DEVICE: Text("drive"),
    ComponentKind.FAN: Text("fan"),
    ComponentKind.POWER_SUPPLY: Text("power supply"),
    ComponentKind.CAMERA: Text("camera"),
    ComponentKind.SPEAKER: Text("speaker"),
    ComponentKind.MICROPHONE: Text("microphone"),
    ComponentKind.WIFI: Text("Wi-Fi"),
    ComponentKind.ETHERNET: Text("wired network"),
    ComponentKind.USB_PORT: Text("USB port"),
    ComponentKind.RTC_BATTERY: Text("clock battery"),
    ComponentKind.CHASSIS: Text("case"),
}

AREAS = {
    "audio": Text("sound"),
    "board": Text("voltages and fans"),
    "camera": Text("camera"),
    "cpu": Text("processor"),
    "filesystems": Text("room on the drives"),
    "firmware": Text("firmware"),
    "kernel_log": Text("system log"),
    "last_shutdown": Text("last shutdown"),
    "mce": Text("processor error records"),
    "memory": Text("memory"),
    "network": Text("network"),
    "panel": Text("screen"),
    "pcie": Text("internal cards"),
    "rtc": Text("clock"),
    "storage": Text("drives"),
    "thermals": Text("temperatures"),
    "unit": Text("identity"),
    "usb": Text("USB"),
}

TESTS = {
    "audio": Text("test of the speakers and the microphone"),
    "camera": Text("test of the camera"),
    "cpu": Text("processor test"),
    "gpu": Text("graphics test"),
    "memory": Text("memory test"),
    "display": Text("test of the screen's connection and brightness"),
    "network": Text("test of the network connections"),
    "rtc": Text("test of the clock"),
    "smart_selftest": Text("the drives' own test"),
    "storage_read": Text("reading the drives"),
    "storage_write": Text("writing to the drive"),
    "suspend": Text("test of sleep and waking up"),
    "thermal": Text("heat test"),
    "usb": Text("test of the USB devices"),
}

WATCHERS = {
    "counters": Text("watching the counters of errors"),
    "heartbeat": Text("watching for standstills"),
    "kernel_log": Text("watching the system log"),
    "panel": Text("watching the screen's connection"),
    "thermals": Text("watching the temperatures"),
}

_OTHERS = {
    "rules": Text("judgement"),
    "profile": Text("comparison with what this model should have"),
    "earlier": Text("comparison with the earlier check"),
    "round": Text("the whole round"),
    "down": Text("after the unit went down"),
    "restart": Text("a restart of the unit"),
    "restarts": Text("all restarts"),
    "reproduction": Text("reproduction"),
    "verification": Text("verification"),
}


def step_word(step: str) -> Text:
    """What a step looks at, whichever round it belongs to; an area that has no word yet is called by its name."""
    step = plain(step)
    if step.startswith("resume."):
        return Text("going on after a restart")
    if step in _OTHERS:
        return _OTHERS[step]
    if step.startswith("watch."):
        watcher = step.rpartition(".")[2]
        return WATCHERS.get(watcher, Text("watching: {area}", {"area": watcher}))
    if step.startswith("test."):
        test = step.removeprefix("test.")
        return TESTS.get(test, Text("test of {area}", {"area": test}))
    area = step.removeprefix("probe.")
    return AREAS.get(area, Text("{area}", {"area": area}))


def source_word(source: str, language: str) -> str:
    """Where an identity is from: a person, else the path or program as it is."""
    return render(Text("given by a person"), language) if source == "person" else source
