"""Which drives are exercised: all of the unit's own, and nobody else's."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.model import Tree
from agent.tests_hw._drives import Drive, drives

PCI = "../devices/pci0000:00/0000:00:17.0"
SATA = f"{PCI}/ata1/host0/target0:0:0/0:0:0:0/block/sda"


def sysfs(name: str, link: str, **files: str) -> dict[str, Any]:
    """One block device; ``files`` are those of its folder, with ``__`` for a slash."""
    base = f"/sys/block/{name}"
    given = {"size": "131072", "removable": "0", "queue__rotational": "0", **files}
    return {base: {"link": link}, **{f"{base}/{key.replace('__', '/')}": f"{value}\n" for key, value in given.items()}}


def named(*devices: dict[str, Any]) -> list[str]:
    return [
        drive.subject for drive in drives(Tree({path: file for device in devices for path, file in device.items()}))
    ]


def test_a_drive_is_called_as_the_storage_probe_calls_it() -> None:
    nvme = sysfs("nvme0n1", f"{PCI}/0000:01:00.0/nvme/nvme0/nvme0n1")
    assert drives(Tree(nvme)) == [Drive("nvme0", "nvme0n1", 64 << 20, False)]
    assert drives(Tree(nvme))[0].path == "/dev/nvme0n1"
    assert drives(Tree(sysfs("sda", SATA, queue__rotational="1"))) == [Drive("sda", "sda", 64 << 20, True)]


def test_further_namespaces_keep_their_own_names() -> None:
    assert named(sysfs("nvme0n1", PCI), sysfs("nvme0n2", PCI), sysfs("nvme1n1", PCI)) == ["nvme0", "nvme0n2", "nvme1"]


def test_what_is_not_part_of_the_unit_is_left_alone() -> None:
    usb = sysfs("sdb", "../devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb")
    stick = sysfs("sdc", SATA, removable="1")
    card = sysfs("mmcblk1", f"{PCI}/mmc_host/mmc1/mmc1:0001/block/mmcblk1", device__type="SD")
    empty = sysfs("sdd", SATA, size="0")
    others = [
        sysfs(name, PCI) for name in ("loop0", "ram0", "dm-0", "md0", "sr0", "zram0", "nvme0c0n1", "mmcblk0boot0")
    ]
    assert named(usb, stick, card, empty, *others) == []


def test_soldered_flash_is_part_of_the_unit() -> None:
    assert named(sysfs("mmcblk0", f"{PCI}/mmc_host/mmc0/mmc0:0001/block/mmcblk0", device__type="MMC")) == ["mmcblk0"]


def test_what_a_hypervisor_made_up_counts_only_alone() -> None:
    virtual = sysfs("vda", "../devices/pci0000:00/0000:00:02.0/virtio1/block/vda")
    scsi = sysfs("sdb", "../devices/pci0000:00/0000:00:03.0/virtio2/host2/target2:0:0/2:0:0:0/block/sdb")
    assert named(virtual, scsi) == ["sdb", "vda"]
    assert named(virtual, scsi, sysfs("sda", SATA)) == ["sda"]


@given(
    st.dictionaries(st.from_regex(r"/sys/block/[a-z0-9]{1,8}(/size|/removable)?", fullmatch=True), st.text(max_size=9))
)
def test_odd_trees_hurt_nobody(files: dict[str, str]) -> None:
    for drive in drives(Tree(files)):
        assert drive.size > 0
