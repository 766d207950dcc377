"""Faults that show only while the unit works: each comes in the middle of the self-check's memory test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.bench.aio import VirtualAio
from tests.bench.hardware.camera import ON_USB
from tests.bench.hardware.part import proven
from tests.bench.hardware.pcie import COMPLETION_TIMEOUT, PORT_IN_GUEST
from tests.bench.hardware.processor import CORRECTED_MEMORY
from tests.bench.scenario import Check, Expected, scenario

WATCHED = "until test -e /var/lib/aiodiag/runs/*/attachments/counters-tree-before.json; do sleep 0.1; done"
"""Until the counters were looked at before a test: all watchers and the test begin together. Nothing more is
asked, for the test leaves a guest no time to look around.
"""
BEGUN_S = 200.0


@contextmanager
def meanwhile(aio: VirtualAio, fault: Callable[[], None]) -> Iterator[None]:
    """What is done goes on until the fault has come, in the middle of a test."""
    came = threading.Event()

    def wait_and_do() -> None:
        aio.guest.shell(WATCHED, timeout_s=BEGUN_S).check()
        fault()
        came.set()

    thread = threading.Thread(target=wait_and_do, name="fault")
    thread.start()
    try:
        yield
    finally:
        thread.join()
    proven(came.is_set(), "it came while the test ran")


@scenario(
    "exercised",
    "processor",
    customer="It only freezes when it has a lot to do.",
    symptom="freezes",
    expected=[Expected("LOG-8484", "memory-module", "warning")],
)
def memory_corrected_under_load(aio: VirtualAio, check: Check) -> None:
    """The memory controller corrects an error of the memory while the memory is tested."""
    with meanwhile(aio, lambda: aio.processor.corrected_error(CORRECTED_MEMORY)):
        check()
    said = aio.guest.out("dmesg")
    proven("[Hardware Error]" in said, "the kernel reports it", said)


@scenario(
    "exercised",
    "usb",
    customer="The camera fails when the computer is busy.",
    symptom="usb-drops",
    expected=[Expected("USB-7247", "usb-port", "warning", ON_USB)],
)
def usb_built_in_lost_under_load(aio: VirtualAio, check: Check) -> None:
    """A built-in USB device (the camera) drops out once, and comes back, while the memory is tested."""
    with meanwhile(aio, lambda: aio.camera.drop_out(1)):
        check()
    said = aio.guest.out("dmesg")
    proven(said.count(f"usb {ON_USB}: USB disconnect") == 1, "the kernel tells of one", said)


@scenario(
    "exercised",
    "pcie",
    customer="Now and then everything hangs for a second, mostly when I copy files.",
    symptom="freezes",
    expected=[Expected("BUS-7034", "motherboard", "warning", PORT_IN_GUEST)],
    tolerated=["LOG-8506"],  # the kernel's message of the same error
)
def pcie_error_under_load(aio: VirtualAio, check: Check) -> None:
    """A transfer over the drive's link is lost while the memory is tested."""
    with meanwhile(aio, lambda: aio.pcie.uncorrected(COMPLETION_TIMEOUT)):
        check()
    said = aio.guest.read(f"/sys/bus/pci/devices/{PORT_IN_GUEST}/aer_dev_nonfatal")
    proven("CmpltTO 1\n" in said, "the kernel counted the error", said)
