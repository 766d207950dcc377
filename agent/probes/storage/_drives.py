"""The drives that the kernel shows in sysfs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from agent.model import Tree
from agent.probes.storage._facts import whole, words

_DISK = "/sys/block/[hsv]d*", "/sys/block/xvd*", "/sys/block/mmcblk*"
_DISK_FILES = (
    "", "/size", "/removable", "/hidden", "/serial", "/wwid", "/queue/rotational", "/device/model", "/device/vendor",
    "/device/rev", "/device/wwid", "/device/vpd_pg80", "/device/state", "/device/ioerr_cnt", "/device/name",
    "/device/serial", "/device/fwrev", "/device/type",
)  # fmt: skip
_NVME = "/sys/class/nvme/nvme*"
_NVME_FILES = ("", "/model", "/serial", "/firmware_rev", "/state", "/transport", "/nvme*n*/size", "/nvme*n*/wwid")

PATTERNS = (*(disk + file for disk in _DISK for file in _DISK_FILES), *(_NVME + file for file in _NVME_FILES))
"""Everything that :func:`drives` looks at."""

_SECTOR = 512
"""Bytes. ``size`` counts 512-byte sectors whatever the drive's own (Linux ABI: stable/sysfs-block)."""
_NO_HEALTH = frozenset({"virtio", "xen", "mmc"})
_GONE = frozenset({"offline", "transport-offline", "dead"})
"""States in which the kernel has given a drive up (drivers/scsi/scsi_sysfs.c, drivers/nvme/host/sysfs.c)."""


class Drive(NamedTuple):
    """One drive. ``name`` is its handle: the block device, or the controller for NVMe. ``transport`` is ``nvme``,
    ``sata``, ``usb``, ``virtio``, ``xen``, ``mmc`` or ``scsi``. ``size`` is in bytes, 0 where the kernel shows none.
    """

    name: str
    transport: str
    size: int | None = None
    removable: bool = False
    rotational: bool | None = None
    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    wwid: str = ""
    location: str = ""
    state: str = ""
    io_errors: int | None = None

    @property
    def virtual(self) -> bool:
        """Whether a hypervisor made it up."""
        return self.transport in {"virtio", "xen"}

    @property
    def internal(self) -> bool:
        """Whether it is part of the unit: then the unit cannot be judged without it."""
        return self.transport != "usb" and not self.removable

    @property
    def smart(self) -> bool:
        """Whether it makes sense to ask it for its health: not a virtual disk, a memory card or a stick."""
        return self.transport not in _NO_HEALTH and not self.removable

    @property
    def gone(self) -> bool:
        """Whether the kernel itself has given it up."""
        return self.state in _GONE

    @property
    def path(self) -> str:
        """The device to ask. For NVMe the controller: asking the namespace for logs makes some drives record an error
        of the asking (linuxhw/hw-probe issue 182).
        """
        return f"/dev/{self.name}"


def drives(tree: Tree) -> list[Drive]:
    """All drives in a capture of :data:`PATTERNS`; no loop, ram, optical or stacked devices, no empty card readers and
    no NVMe controllers over a network.
    """
    return [*_disks(tree), *_controllers(tree)]


def _disks(tree: Tree) -> Iterator[Drive]:
    for name in _names(tree, r"/sys/block/((?:[hsv]|xv)d[a-z]{1,3}|mmcblk[0-9]{1,3})/size"):
        base = f"/sys/block/{name}"
        removable = tree.integer(f"{base}/removable") == 1
        size = whole(tree.integer(f"{base}/size"), 0, 1 << 64)
        if (removable and not size) or tree.integer(f"{base}/hidden") == 1:
            continue
        link = tree.link(base) or ""
        transport = _transport(name, link)
        vendor = words(tree.text(f"{base}/device/vendor"))
        card = transport == "mmc"
        yield Drive(
            name=name,
            transport=transport,
            size=None if size is None else size * _SECTOR,
            removable=removable or (card and tree.text(f"{base}/device/type") != "MMC"),
            rotational=_flag(tree, f"{base}/queue/rotational") if transport not in _NO_HEALTH else None,
            manufacturer="" if vendor == "ATA" or vendor.startswith("0x") else vendor,
            model=words(tree.text(f"{base}/device/{'name' if card else 'model'}")),
            serial=_serial(tree, base),
            firmware=words(tree.text(f"{base}/device/{'fwrev' if card else 'rev'}")),
            wwid=words(tree.text(f"{base}/wwid")) or words(tree.text(f"{base}/device/wwid")),
            location=_location(link),
            state=words(tree.text(f"{base}/device/state")),
            io_errors=whole(tree.integer(f"{base}/device/ioerr_cnt"), 0, 1 << 64),
        )


def _controllers(tree: Tree) -> Iterator[Drive]:
    for name in _names(tree, r"/sys/class/nvme/(nvme[0-9]{1,3})(?:/state|/model)?"):
        base = f"/sys/class/nvme/{name}"
        if (tree.text(f"{base}/transport") or "pcie") != "pcie":
            continue
        sizes = [whole(tree.integer(path), 0, 1 << 64) for path in tree.paths(f"{base}/nvme*n*/size")]
        known = [size for size in sizes if size is not None]
        namespaces = tree.paths(f"{base}/nvme*n*/wwid")
        yield Drive(
            name=name,
            transport="nvme",
            size=sum(known) * _SECTOR if known else None,
            rotational=False,
            model=words(tree.text(f"{base}/model")),
            serial=words(tree.text(f"{base}/serial")),
            firmware=words(tree.text(f"{base}/firmware_rev")),
            wwid=words(tree.text(namespaces[0])) if namespaces else "",
            location=_location(tree.link(base) or ""),
            state=words(tree.text(f"{base}/state")),
        )


def _names(tree: Tree, pattern: str) -> list[str]:
    found = {m[1] for path in tree.files if (m := re.fullmatch(pattern, path))}
    return sorted(found, key=lambda name: (len(name), name))


def _transport(name: str, link: str) -> str:
    if name.startswith("mmcblk"):
        return "mmc"
    if name.startswith("xvd"):
        return "xen"
    if name.startswith("vd") or "/virtio" in link:
        return "virtio"
    if re.search(r"/usb[0-9]+/", link):
        return "usb"
    return "sata" if re.search(r"/ata[0-9]+/", link) else "scsi"


def _location(link: str) -> str:
    """The last PCI address on the way to the device, and the ATA or USB port behind it."""
    places = re.findall(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", link)
    port = re.search(r"/(ata[0-9]+|[0-9]+-[0-9.]+)/", link)
    return " ".join([*places[-1:], *([port[1]] if port else [])])


def _serial(tree: Tree, base: str) -> str:
    """From the driver (virtio, MMC) or from SCSI's vital product data page 80h: four bytes of header, then ASCII."""
    page = tree.binary(f"{base}/device/vpd_pg80") or b""
    text = page[4:].decode("ascii", "replace").strip("\0 ") if page[1:2] == b"\x80" else ""
    return words(tree.text(f"{base}/serial")) or words(tree.text(f"{base}/device/serial")) or words(text)


def _flag(tree: Tree, path: str) -> bool | None:
    value = tree.integer(path)
    return None if value is None else value == 1
