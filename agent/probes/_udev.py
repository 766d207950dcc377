"""What udev's database says of the devices of a subsystem: the names that people know them by.

From libudev by pyudev; the names are of hwdb(7) (``ID_MODEL_FROM_DATABASE``), looked up by udevd when a device appears,
so that nothing is searched here. Without udevd there are no names, and the caller falls back to the numbers.
"""

from __future__ import annotations

import ctypes
import json
import time
from collections.abc import Iterable

from agent.host import Host, now
from agent.model import Evidence, Gap, Outcome, Text

PROPERTIES = ("ID_VENDOR_FROM_DATABASE", "ID_MODEL_FROM_DATABASE")
"""What is kept of every subsystem. Others hold what is private: ``ID_SERIAL_SHORT`` the serial number of a customer's
USB stick."""

Names = dict[str, dict[str, str]]


def gather(host: Host, subsystem: str, also: Iterable[str] = ()) -> Evidence | Gap:
    """Evidence of kind ``udev`` with :data:`PROPERTIES` and ``also`` those, none of them private, of every device of
    ``subsystem``, by the name that it has in sysfs; a gap where there is no libudev or the files are a copy of some
    other machine's.
    """
    if host.root:
        return Gap("names", Outcome.UNSUPPORTED, Text("no program is run over captured files"))
    try:
        # pyudev searches a library that is not installed with whatever compiler PATH leads to
        ctypes.CDLL("libudev.so.1")
        import pyudev
    except (OSError, ImportError):
        reason = Text("{program} is not installed", {"program": "libudev"})
        return Gap("names", Outcome.UNSUPPORTED, reason, remedy="sudo apt-get install libudev1")
    started, start = now(), time.monotonic()
    found: Names = {}
    wanted = (*PROPERTIES, *also)
    for device in pyudev.Context().list_devices(subsystem=subsystem):
        properties = device.properties
        found[device.sys_name] = {key: properties[key] for key in wanted if key in properties}
    return Evidence(
        kind="udev",
        subject=subsystem,
        data=json.dumps(found, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace"),
        source=f"pyudev.Context().list_devices(subsystem={subsystem!r})",
        time=started,
        duration_s=time.monotonic() - start,
    )


def names(evidence: Iterable[Evidence]) -> Names:
    """Inverse of :func:`gather`: the properties by device. What is no text is left out."""
    found: Names = {}
    for e in evidence:
        loaded = e.json() if e.kind == "udev" else None
        for device, properties in loaded.items() if isinstance(loaded, dict) else ():
            if isinstance(properties, dict):
                found[device] = {key: v for key, v in properties.items() if isinstance(v, str)}
    return found


def printable(text: str | None) -> str:
    """Text of a device as one line that can be shown: without control characters, at most 128 of it; ``""`` for none.

    Descriptor strings are written by whoever made the device. 128 is the longest that a USB string can be (USB 2.0
    section 9.6.7: 255 bytes of UTF-16).
    """
    return "".join(c if c.isprintable() else " " for c in text or "").strip()[:128]
