"""Who this unit is: serial number, maker, model, board, chassis.

Reads the SMBIOS strings in ``/sys/class/dmi/id`` (Documentation/ABI/testing/sysfs-class-dmi; serials and UUID are for
root only) and, for root, asks dmidecode where sysfs gives no usable serial number; or the firmware's tables as they
were captured elsewhere. All values are text but
``unit.chassis_type_number`` (SMBIOS 3.7 table 17, unit ``1``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

from agent.host import Host
from agent.model import Component, ComponentKind, Evidence, Gap, Outcome, Reading, Text, Tree, Value
from agent.probes._dmi import TABLES, tables
from agent.probes._identity import identity, meaningful, usable_serial, usable_uuid
from agent.probes._probe import Probe, Seen
from agent.tools.gap import program_gap

__all__ = ["PROBE", "identity", "usable_serial", "usable_uuid"]

DMI = "/sys/class/dmi/id/"
DMIDECODE_TIMEOUT_S = 5.0

SERIALS = {"system": "product_serial", "board": "board_serial", "chassis": "chassis_serial"}
"""Where a serial number may be, the best first."""

_DMIDECODE = {
    1: {
        "sys_vendor": ("Manufacturer", "Vendor"),
        "product_name": ("Product Name", "Product"),
        "product_version": ("Version",),
        "product_serial": ("Serial Number",),
        "product_sku": ("SKU Number",),
        "product_uuid": ("UUID",),
    },
    2: {
        "board_vendor": ("Manufacturer", "Vendor"),
        "board_name": ("Product Name", "Product"),
        "board_version": ("Version",),
        "board_serial": ("Serial Number",),
    },
    3: {
        "chassis_vendor": ("Manufacturer", "Vendor"),
        "chassis_type": ("Type", "Chassis Type"),
        "chassis_version": ("Version",),
        "chassis_serial": ("Serial Number",),
    },
}
"""SMBIOS structure type -> the name that sysfs has for a field -> the names that dmidecode has (2.2 had its own)."""

CHASSIS_TYPES = (
    "",
    "Other",
    "Unknown",
    "Desktop",
    "Low Profile Desktop",
    "Pizza Box",
    "Mini Tower",
    "Tower",
    "Portable",
    "Laptop",
    "Notebook",
    "Hand Held",
    "Docking Station",
    "All In One",
    "Sub Notebook",
    "Space-saving",
    "Lunch Box",
    "Main Server Chassis",
    "Expansion Chassis",
    "Sub Chassis",
    "Bus Expansion Chassis",
    "Peripheral Chassis",
    "RAID Chassis",
    "Rack Mount Chassis",
    "Sealed-case PC",
    "Multi-system",
    "CompactPCI",
    "AdvancedTCA",
    "Blade",
    "Blade Enclosing",
    "Tablet",
    "Convertible",
    "Detachable",
    "IoT Gateway",
    "Embedded PC",
    "Mini PC",
    "Stick PC",
)
"""SMBIOS 3.7 table 17 as dmidecode spells it; the index is the number."""

_HYPERVISORS = (
    "qemu",
    "kvm",
    "vmware",
    "innotek",
    "virtualbox",
    "xen",
    "bochs",
    "parallels",
    "bhyve",
    "amazon ec2",
    "virtual machine",
)
"""Beginnings of the vendor or product name of virtual machines (systemd, src/basic/virt.c, dmi_vendor_table; Hyper-V's
product, whose vendor makes computers too).
"""


class _Field(NamedTuple):
    text: str
    source: str
    time: str


class UnitProbe(Probe):
    """The unit's identity, the motherboard and the chassis."""

    area: ClassVar[str] = "unit"
    timeout_s: ClassVar[float] = 10.0
    programs: ClassVar[tuple[str, ...]] = ("dmidecode",)

    def gather(self, host: Host) -> Iterator[Evidence | Gap]:
        """A handful of sysfs files; dmidecode only for root and only where these give no serial number."""
        names = [name for fields in _DMIDECODE.values() for name in fields]
        evidence = host.tree(*(DMI + name for name in names), "/proc/cpuinfo")
        yield evidence
        if host.is_root and _serial(_fields([evidence])) is None:
            types = [word for number in _DMIDECODE for word in ("-t", str(number))]
            yield host.output("dmidecode", "dmidecode", *types, timeout_s=DMIDECODE_TIMEOUT_S)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        """Components MOTHERBOARD and CHASSIS, and the readings ``unit.*``."""
        fields = _fields(evidence)
        if fields:
            yield from _components(fields)
            yield from _readings(fields)
        else:
            yield Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)
        yield from _gaps(evidence, fields)
        yield from _virtual(evidence, fields)


def _fields(evidence: Sequence[Evidence]) -> dict[str, _Field]:
    """What each field says, by its sysfs name; dmidecode's word counts where sysfs has none that can be used."""
    fields: dict[str, _Field] = {}
    for item in evidence:
        if item.kind == "tree":
            tree = item.tree()
            for path in tree.paths(DMI + "*"):
                text = tree.text(path)
                if text is not None:
                    fields[path.removeprefix(DMI)] = _Field(text, path, item.time)
    for item in evidence:
        if item.kind in TABLES:
            for name, field in _from_tables(item).items():
                if name not in fields or not meaningful(fields[name].text):
                    fields[name] = field
    return fields


def _from_tables(evidence: Evidence) -> dict[str, _Field]:
    fields: dict[str, _Field] = {}
    for structure in tables(evidence):
        for name, spellings in _DMIDECODE.get(structure.type, {}).items():
            present = [spelling for spelling in spellings if spelling in structure.fields]
            # A board with several structures (risers) has the main one first.
            if present and name not in fields:
                source = f"{evidence.source}: {structure.title}, {present[0]}"
                fields[name] = _Field(structure.text(present[0]), source, evidence.time)
    return fields


def _serial(fields: dict[str, _Field]) -> tuple[str, str, _Field] | None:
    """The first usable serial number: whose it is, the number, the field."""
    names = [fields[n].text for n in ("sys_vendor", "product_name", "product_sku", "board_name") if n in fields]
    for whose, name in SERIALS.items():
        if name in fields:
            serial = usable_serial(fields[name].text, names)
            if serial is not None:
                return whose, serial, fields[name]
    return None


def _components(fields: dict[str, _Field]) -> Iterator[Component]:
    texts = {name: meaningful(field.text) for name, field in fields.items()}
    for kind, prefix, model, description in (
        (ComponentKind.MOTHERBOARD, "board", texts.get("board_name", ""), ""),
        (ComponentKind.CHASSIS, "chassis", "", _chassis_type(fields)[1]),
    ):
        known = [name for name in fields if name.startswith(prefix)]
        if known:
            serial = fields.get(f"{prefix}_serial")
            yield Component(
                kind,
                kind.value,
                manufacturer=texts.get(f"{prefix}_vendor", ""),
                model=model,
                serial=(usable_serial(serial.text) or "") if serial else "",
                part_number=texts.get(f"{prefix}_version", ""),
                description=description,
                source=fields[known[0]].source,
            )


def _readings(fields: dict[str, _Field]) -> Iterator[Reading]:
    found = _serial(fields)
    if found:
        whose, serial, field = found
        yield _reading("unit.serial", serial, field)
        yield _reading("unit.serial_source", field.source, field)
        yield _reading("unit.serial_of", whose, field)
    looked_at = [fields[name] for name in SERIALS.values() if name in fields]
    if looked_at:
        yield _reading("unit.serial_usable", found is not None, looked_at[0])
    refused = fields.get(SERIALS["system"])
    if refused and (found is None or found[0] != "system"):
        yield _reading("unit.serial_refused", _printable(refused.text), refused)
    for name, key in (
        ("unit.manufacturer", "sys_vendor"),
        ("unit.model", "product_name"),
        ("unit.version", "product_version"),
        ("unit.sku", "product_sku"),
    ):
        if key in fields and meaningful(fields[key].text):
            yield _reading(name, meaningful(fields[key].text), fields[key])
    uuid = usable_uuid(fields["product_uuid"].text) if "product_uuid" in fields else None
    if uuid:
        yield _reading("unit.uuid", uuid, fields["product_uuid"])
    number, word = _chassis_type(fields)
    if number:
        field = fields["chassis_type"]
        yield _reading("unit.chassis_type_number", number, field, "1", ComponentKind.CHASSIS)
        yield _reading("unit.chassis_type", word, field, "", ComponentKind.CHASSIS)


def _chassis_type(fields: dict[str, _Field]) -> tuple[int, str]:
    """Number and word of the chassis type (sysfs has the number, dmidecode the word); 0 where it says nothing."""
    text = fields["chassis_type"].text if "chassis_type" in fields else ""
    if text in CHASSIS_TYPES[1:]:
        return CHASSIS_TYPES.index(text), text
    number = int(text) & 0x7F if text.isascii() and text.isdecimal() and len(text) <= 3 else 0
    return (number, CHASSIS_TYPES[number]) if 0 < number < len(CHASSIS_TYPES) else (0, "")


def _gaps(evidence: Sequence[Evidence], fields: dict[str, _Field]) -> Iterator[Gap]:
    if _serial(fields) is not None:
        return
    for item in evidence:
        if item.kind in TABLES and item.problem:
            yield program_gap(item, "dmidecode", essential=False)
        if item.kind == "tree":
            yield from _unreadable(item.tree())


def _unreadable(tree: Tree) -> Iterator[Gap]:
    errors = {tree.error(DMI + name) for name in SERIALS.values()} - {None}
    if errors & {"EACCES", "EPERM"}:
        yield Gap("serial", Outcome.UNSUPPORTED, Text("needs root"), remedy="sudo aiodiag unit")
    elif errors:
        error = ", ".join(sorted(str(e) for e in errors))
        yield Gap("serial", Outcome.ERROR, Text("could not be read: {error}", {"error": error}))


def _virtual(evidence: Sequence[Evidence], fields: dict[str, _Field]) -> Iterator[Reading]:
    """Whether this is a virtual machine. Fact only: a serial number of the hypervisor's making is none of a unit's."""
    for name in ("sys_vendor", "product_name"):
        if name in fields and fields[name].text.casefold().startswith(_HYPERVISORS):
            yield _reading("unit.virtual", True, fields[name])
            return
    for item in evidence:
        cpuinfo = item.tree().text("/proc/cpuinfo") if item.kind == "tree" else None
        flags = [line for line in (cpuinfo or "").splitlines() if line.startswith("flags")]
        if flags:
            field = _Field("", "/proc/cpuinfo", item.time)
            yield _reading("unit.virtual", "hypervisor" in flags[0].split(), field)
            return


def _reading(
    name: str, value: Value, field: _Field, unit: str = "", component: ComponentKind = ComponentKind.MOTHERBOARD
) -> Reading:
    # The firmware of the motherboard holds these strings, so a wrong one is set right there.
    return Reading(name, value, unit, component, "", field.source, field.time)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:100]


PROBE = UnitProbe()
