"""The unit's own drives, as the kernel shows them in sysfs."""

from __future__ import annotations

import re
from typing import NamedTuple

from agent.model import Tree

_DISKS = "/sys/block/[hsv]d*", "/sys/block/xvd*", "/sys/block/mmcblk*", "/sys/block/nvme*n*"
_FILES = "", "/size", "/removable", "/queue/rotational", "/device/type"
PATTERNS = tuple(disk + file for disk in _DISKS for file in _FILES)
"""Everything that :func:`drives` looks at."""

_NAME = re.compile(r"/sys/block/((?:[hsv]|xv)d[a-z]{1,3}|mmcblk[0-9]{1,3}|(nvme[0-9]{1,3})n[0-9]{1,3})/size")
_SECTOR = 512
"""Bytes. ``size`` counts 512-byte sectors whatever the drive's own (Linux ABI: stable/sysfs-block)."""


class Drive(NamedTuple):
    """One drive. ``subject`` is its handle in readings, as the storage probe names it: the NVMe controller, else the
    block device; of an NVMe drive with several namespaces those beyond the first are called by their own names.
    ``size`` is in bytes; ``rotational`` is ``None`` where the kernel does not say.
    """

    subject: str
    block: str
    size: int
    rotational: bool | None

    @property
    def path(self) -> str:
        """The block device."""
        return f"/dev/{self.block}"


def drives(tree: Tree) -> list[Drive]:
    """The drives in a capture of :data:`PATTERNS` that are part of the unit and have a medium: none on USB, no card and
    no stick. A disk that a hypervisor made up counts only where there is no other.
    """
    found = [(drive, _is_virtual(tree, drive.block)) for drive in _built_in(tree)]
    real = [drive for drive, virtual in found if not virtual]
    return real or [drive for drive, _ in found]


def _built_in(tree: Tree) -> list[Drive]:
    found: dict[str, Drive] = {}
    for path in tree.paths("/sys/block/*/size"):
        match = _NAME.fullmatch(path)
        base, size = path.removesuffix("/size"), tree.integer(path) or 0
        on_usb = re.search(r"/usb[0-9]+/", tree.link(base) or "") is not None
        removable = tree.integer(f"{base}/removable") == 1
        card = base.startswith("/sys/block/mmcblk") and tree.text(f"{base}/device/type") != "MMC"
        if not match or not 0 < size < 1 << 54 or on_usb or removable or card:
            continue
        rotational = tree.integer(f"{base}/queue/rotational")
        subject = match[2] if match[2] and match[2] not in found else match[1]
        found[subject] = Drive(subject, match[1], size * _SECTOR, None if rotational is None else rotational == 1)
    return list(found.values())


def _is_virtual(tree: Tree, block: str) -> bool:
    return block.startswith(("vd", "xvd")) or "/virtio" in (tree.link(f"/sys/block/{block}") or "")
