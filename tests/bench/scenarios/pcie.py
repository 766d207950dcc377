"""The connections on the mainboard: errors on them, and lanes that drop out."""

from __future__ import annotations

from tests.bench.aio import VirtualAio
from tests.bench.hardware.part import proven
from tests.bench.hardware.pcie import COMPLETION_TIMEOUT, DRIVE_IN_GUEST, PORT_IN_GUEST, SURPRISE_DOWN
from tests.bench.scenario import Check, Expected, scenario

RECORDED = f"until ras-mc-ctl --errors | grep {PORT_IN_GUEST}; do sleep 0.2; done"


@scenario(
    "pcie",
    customer="Now and then everything hangs for a second.",
    symptom="freezes",
    expected=[Expected("BUS-7034", "motherboard", "warning", PORT_IN_GUEST)],
    tolerated=["LOG-8506"],  # the kernel's message of the same error
)
def pcie_error_uncorrected(aio: VirtualAio, check: Check) -> None:
    """A transfer over the drive's link was lost: an uncorrected error that is not fatal."""
    aio.pcie.uncorrected(COMPLETION_TIMEOUT)
    said = aio.guest.shell(RECORDED).out
    proven("Uncorrected (Non-Fatal)" in said, "rasdaemon recorded the error", said)
    check()


@scenario(
    "pcie",
    customer="It froze, and after that it was slow.",
    symptom="freezes",
    expected=[Expected("BUS-7027", "motherboard", "critical", PORT_IN_GUEST)],
    # The kernel's message of the same error; and the drive, which does not come back when the kernel resets the link.
    tolerated=["LOG-8506", "LOG-8437", "DISK-1007"],
)
def pcie_error_fatal(aio: VirtualAio, check: Check) -> None:
    """The drive's link broke down: a fatal error."""
    aio.pcie.uncorrected(SURPRISE_DOWN)
    said = aio.guest.shell(RECORDED).out
    proven("Uncorrected (Fatal)" in said, "rasdaemon recorded the error", said)
    check()


@scenario(
    "pcie",
    customer="I only wanted to see whether all is well.",
    expected=[Expected("LOG-8511", "motherboard", "info", PORT_IN_GUEST)],
    never=["BUS-*"],
)
def pcie_error_corrected(aio: VirtualAio, check: Check) -> None:
    """One transmission error, corrected by sending again: it is noted, and no reason to worry."""
    aio.pcie.corrected(1)
    said = aio.guest.read(f"/sys/bus/pci/devices/{PORT_IN_GUEST}/aer_dev_correctable")
    proven("RxErr 1\n" in said, "the kernel counted the error", said)
    check()


@scenario(
    "pcie",
    customer="Saving files takes longer than it did.",
    symptom="slow-disk",
    expected=[Expected("BUS-7042", "motherboard", "warning", PORT_IN_GUEST)],
)
def pcie_errors_corrected_many(aio: VirtualAio, check: Check) -> None:
    """The drive's link has hundreds of transmission errors within minutes, each corrected."""
    aio.pcie.corrected(200)
    said = aio.guest.read(f"/sys/bus/pci/devices/{PORT_IN_GUEST}/aer_dev_correctable")
    proven("RxErr 200\n" in said, "the kernel counted the errors", said)
    check()


@scenario(
    "pcie",
    customer="It got very slow since I moved it to the other room.",
    symptom="slow-disk",
    expected=[Expected("BUS-7003", "storage-device", "warning", DRIVE_IN_GUEST)],
)
def pcie_lanes_lost(aio: VirtualAio, check: Check) -> None:
    """The drive is connected by one of its four lanes."""
    with aio.pcie.lanes_lost():
        said = aio.guest.out("/usr/bin/lspci", "-vv", "-s", DRIVE_IN_GUEST)
        could, can = (next(line for line in said.splitlines() if word in line) for word in ("LnkCap:", "LnkSta:"))
        proven("Width x4" in could and "Width x1" in can, "lspci shows lanes that are not used", could + can)
        check()


@scenario(
    "pcie",
    customer="It got slower since the repair.",
    symptom="slow-disk",
    expected=[Expected("BUS-7016", "storage-device", "info", DRIVE_IN_GUEST)],
    never=["BUS-7003"],
)
def pcie_link_slow(aio: VirtualAio, check: Check) -> None:
    """The drive's link runs at half of the speed that both of its ends can do."""
    with aio.pcie.slow():
        said = aio.guest.out("/usr/bin/lspci", "-vv", "-s", DRIVE_IN_GUEST)
        could, can = (next(line for line in said.splitlines() if word in line) for word in ("LnkCap:", "LnkSta:"))
        proven("Speed 5GT/s" in could and "Speed 2.5GT/s" in can, "lspci shows a speed that is not used", could + can)
        check()
