"""PCIe: what is on the bus, how fast and wide its links are and could be, and which errors were seen on them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from agent.host import Host
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text, Tree, Value
from agent.probes import _udev
from agent.probes._probe import Probe, Seen

DEVICES = "/sys/bus/pci/devices"

ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]", re.ASCII)
"""``domain:bus:device.function`` as the kernel writes it (setup.c of drivers/pci: ``%04x:%02x:%02x.%d``)."""
WIDTHS = (1, 2, 4, 8, 12, 16, 32)
"""Lanes that a link can have (PCIe Base Specification 5.0 section 7.5.3.6). A device that does not answer shows 63."""
SPEEDS = (2.5, 5.0, 8.0, 16.0, 32.0, 64.0)
"""In 10⁹ transfers/s for each lane (drivers/pci/probe.c, ``pci_speed_string``)."""
ASLEEP = ("D3hot", "D3cold")

IDENTITY = ("vendor", "device", "class", "subsystem_vendor", "subsystem_device", "enable", "power_state", "driver")
LINK = ("current_link_speed", "max_link_speed", "current_link_width", "max_link_width")
SEVERITIES = {"correctable": "cor", "nonfatal": "nonfatal", "fatal": "fatal"}
"""Severity -> how the kernel abbreviates it in ``aer_rootport_total_err_*``."""

ERROR_KINDS = {
    "RxErr": "receiver_error",
    "BadTLP": "bad_tlp",
    "BadDLLP": "bad_dllp",
    "Rollover": "relay_num_rollover",
    "Timeout": "replay_timer_timeout",
    "NonFatalErr": "advisory_non_fatal",
    "CorrIntErr": "corrected_internal_error",
    "HeaderOF": "header_log_overflow",
    "DLP": "data_link_protocol",
    "SDES": "surprise_down_error",
    "TLP": "poisoned_tlp",
    "FCP": "flow_control_protocol",
    "CmpltTO": "completion_timeout",
    "CmpltAbrt": "completer_abort",
    "UnxCmplt": "unexpected_completion",
    "RxOF": "receiver_overflow",
    "MalfTLP": "malformed_tlp",
    "UnsupReq": "unsupported_request",
    "ACSViol": "acs_violation",
    "UncorrIntErr": "uncorrectable_internal_error",
    "BlockedTLP": "mc_blocked_tlp",
    "AtomicOpBlocked": "atomicop_egress_blocked",
    "TLPBlockedErr": "tlp_prefix_blocked_error",
}
"""The kernel's words for kinds of error (drivers/pci/pcie/aer.c) -> the ABI document's, which older kernels print."""

COUNTERS = (
    *(f"aer_dev_{severity}" for severity in SEVERITIES),
    *(f"aer_rootport_total_err_{short}" for short in SEVERITIES.values()),
)
"""Files of a device's error counters, which the kernel keeps: to read them asks no device."""

_COMPONENTS = (
    ("0x0108", ComponentKind.STORAGE_DEVICE),
    ("0x0200", ComponentKind.ETHERNET),
    ("0x0280", ComponentKind.WIFI),
)
_TIMEOUT_S = 5.0
"""For one device. Configuration space answers in µs; ours."""


class PcieProbe(Probe):
    """Devices, links and error counters of the PCI bus.

    From ``/sys/bus/pci/devices`` (kernel Documentation/ABI/testing/sysfs-bus-pci), subjects ``0000:01:00.0``:
    ``pcie.id`` (``vendor:device``), ``pcie.name`` (of udev's hardware database, where it knows one), ``pcie.class``
    (``0x010802``), ``pcie.driver``, ``pcie.enabled``, ``pcie.power_state`` (``D0`` to ``D3cold``) and ``pcie.parent``,
    the bridge or port at the other end of the device's link. ``pcie.link.speed`` and ``.max_speed`` in transfers/s for
    each lane (1 GT/s is 10⁹), ``pcie.link.width`` and ``.max_width`` in lanes (unit ``count``): now, and what this end
    is capable of. Links of devices that sleep are not read: older kernels give nonsense then, newer ones wake them.

    From the counters of Advanced Error Reporting (Documentation/ABI/testing/sysfs-bus-pci-devices-aer_stats), as this
    device saw them since it appeared: ``pcie.aer.correctable``, ``.nonfatal`` and ``.fatal`` are numbers of messages;
    ``pcie.aer.correctable.bad_tlp`` and so on numbers of errors by kind, only those that are not 0.
    ``pcie.aer.port.correctable``, ``.nonfatal`` and ``.fatal`` are the messages that a root port got, its own included.
    ``pcie.uptime`` (subject ``""``) is the time since the start in s, from ``/proc/uptime``.
    """

    area = "pcie"
    timeout_s = 10.0

    def gather(self, host: Host) -> Iterator[Evidence | Gap]:
        """One listing, which asks no device; then names, and the devices side by side."""
        yield host.tree(f"{DEVICES}/*", "/proc/uptime")
        devices = [path.rpartition("/")[2] for path in host.glob(f"{DEVICES}/*")]
        if not devices:
            return
        readers: dict[str, Callable[[], Evidence | Gap]] = {d: partial(_read_device, host, d) for d in devices}
        readers["names"] = partial(_udev.gather, host, "pci")
        yield from host.each(readers, lambda name: readers[name](), timeout_s=_TIMEOUT_S)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        """Unsupported without any device, and where no device shows a link or counts errors."""
        tree = Tree.merged(evidence)
        names = _udev.names(evidence)
        time = evidence[0].time if evidence else ""
        devices = dict.fromkeys(p.split("/")[5] for p in [*tree.paths(f"{DEVICES}/*"), *tree.paths(f"{DEVICES}/*/*")])
        seen = [
            reading for d in devices if ADDRESS.fullmatch(d) for reading in _device(tree, d, names.get(d, {}), time)
        ]
        yield from seen
        uptime = re.match(r"\d{1,15}(\.\d{1,9})?(?=\s|$)", tree.text("/proc/uptime") or "", re.ASCII)
        if uptime:
            yield Reading("pcie.uptime", float(uptime[0]), "s", ComponentKind.MOTHERBOARD, "", "/proc/uptime", time)
        links = any(reading.name.startswith("pcie.link.") for reading in seen)
        counters = any(reading.name.startswith("pcie.aer.") for reading in seen)
        if not seen:
            yield Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)
        elif not links and not counters:
            yield Gap("", Outcome.UNSUPPORTED, Text("the kernel shows no such sensor"), essential=True)
        elif not links or not counters:
            subject = "counters" if links else "links"
            yield Gap(subject, Outcome.UNSUPPORTED, Text("the kernel shows no such sensor"))


PROBE = PcieProbe()


def _read_device(host: Host, device: str) -> Evidence:
    """The link's registers are read only of a device that is awake."""
    path = f"{DEVICES}/{device}"
    state = host.tree(f"{path}/power_state").tree().text(f"{path}/power_state")
    files = IDENTITY if state in ASLEEP else (*IDENTITY, *LINK)
    return host.tree(*(f"{path}/{file}" for file in (*files, *COUNTERS)), subject=device)


def _device(tree: Tree, device: str, names: dict[str, str], time: str) -> Iterator[Reading]:
    path = f"{DEVICES}/{device}"
    kind = tree.text(f"{path}/class") or ""
    component = next((c for start, c in _COMPONENTS if kind.startswith(start)), ComponentKind.MOTHERBOARD)

    def reading(quantity: str, value: Value, unit: str, file: str) -> Reading:
        return Reading(f"pcie.{quantity}", value, unit, component, device, f"{path}/{file}", time)

    vendor, model = tree.integer(f"{path}/vendor"), tree.integer(f"{path}/device")
    if vendor is not None and model is not None and 0 <= vendor < 2**16 and 0 <= model < 2**16:
        yield reading("id", f"{vendor:04x}:{model:04x}", "", "device")
    maker, called = (_udev.printable(names.get(key)) for key in _udev.PROPERTIES)
    if called:
        yield reading("name", f"{maker} {called}".strip(), "", "uevent")
    if re.fullmatch("0x[0-9a-f]{6}", kind):
        yield reading("class", kind, "", "class")
    driver = (tree.link(f"{path}/driver") or "").rpartition("/")[2]
    for quantity, text in (("driver", driver), ("power_state", tree.text(f"{path}/power_state"))):
        if _udev.printable(text):
            yield reading(quantity, _udev.printable(text), "", quantity)
    enabled = tree.integer(f"{path}/enable")
    if enabled is not None:
        yield reading("enabled", enabled > 0, "", "enable")
    parent = _parent(tree.link(path))
    if parent:
        yield reading("parent", parent, "", "..")
    if tree.text(f"{path}/power_state") not in ASLEEP:
        yield from _link(tree, path, reading)
    yield from _counters(tree, path, reading)


def _parent(link: str | None) -> str:
    """``0000:00:1c.0`` of ``../../../devices/pci0000:00/0000:00:1c.0/0000:01:00.0``; ``""`` for one at the root."""
    above = (link or "").split("/")[-2:-1]
    return above[0] if above and ADDRESS.fullmatch(above[0]) else ""


def _link(tree: Tree, path: str, reading: Callable[[str, Value, str, str], Reading]) -> Iterator[Reading]:
    """Nothing of a port without a link: it shows 0 lanes, or a speed that is not known."""
    for quantity, file in (("speed", "current_link_speed"), ("max_speed", "max_link_speed")):
        match = re.match(r"(\d{1,2}(?:\.\d)?) GT/s", tree.text(f"{path}/{file}") or "", re.ASCII)
        if match and float(match[1]) in SPEEDS:
            yield reading(f"link.{quantity}", float(match[1]) * 1e9, "transfers/s", file)
    for quantity, file in (("width", "current_link_width"), ("max_width", "max_link_width")):
        lanes = tree.integer(f"{path}/{file}")
        if lanes in WIDTHS:
            yield reading(f"link.{quantity}", lanes, "count", file)


def _counters(tree: Tree, path: str, reading: Callable[[str, Value, str, str], Reading]) -> Iterator[Reading]:
    for severity, short in SEVERITIES.items():
        file = f"aer_dev_{severity}"
        total, kinds = _by_kind(tree.text(f"{path}/{file}") or "")
        if total is not None:
            yield reading(f"aer.{severity}", total, "count", file)
        for kind, count in kinds.items():
            yield reading(f"aer.{severity}.{kind}", count, "count", file)
        messages = tree.integer(f"{path}/aer_rootport_total_err_{short}")
        if messages is not None and 0 <= messages < 2**64:
            yield reading(f"aer.port.{severity}", messages, "count", f"aer_rootport_total_err_{short}")


def _by_kind(text: str) -> tuple[int | None, dict[str, int]]:
    """The lines ``kind count`` of ``aer_dev_*``: the total (``None`` where it is missing), and what is not 0."""
    total, kinds = None, {}
    for match in re.finditer(r"^([A-Za-z][\w \[\]-]{0,63}) (\d{1,19})$", text, re.ASCII | re.MULTILINE):
        kind, count = match[1].strip(), int(match[2])
        if kind.startswith("TOTAL_"):
            total = count
        elif count:
            kinds[ERROR_KINDS.get(kind) or re.sub(r"[^a-z0-9]+", "_", kind.lower()).strip("_")] = count
    return total, kinds
