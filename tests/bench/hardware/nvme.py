"""An NVMe drive, and what can become of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.bench.hardware.medium import USUAL_MIB, Medium
from tests.bench.machine import Channel, Qemu
from tests.bench.machine.bus import places
from tests.bench.machine.innards import Innards

KELVIN = 273
"""What NVM Express counts on from: whole kelvins (Base Specification 2.0, 5.16.1.3, Composite Temperature)."""
COOL_C = 50
"""What QEMU's drive says of itself (NVME_TEMPERATURE in hw/nvme/nvme.h); it warns from 70 C on."""
PATIENCE_MS = 3000
"""How long the driver waits for a command where a fault makes it wait; 30 s else (nvme_core.io_timeout)."""
TAKEN_OUT_WITHIN_S = 20.0
KEPT_OFF_EACH_S = 0.005
"""Shorter than the driver's own pauses while it waits for a reset (1 ms at least, 100 ms mostly)."""


class NvmeDrive:
    """``nvmeN`` in the guest, behind a hot-plug port of its own. ``table`` has its ``serial``, and ``mib``, its size,
    where that is not the usual one.
    """

    def __init__(self, number: int, table: dict[str, Any], folder: Path) -> None:
        self.number = number
        self.serial = str(table["serial"])
        self.handle = f"nvme{number}"
        self.medium = Medium(self.handle, folder, int(table.get("mib", USUAL_MIB)))
        self._device = f"nv{number}"
        self._bus = f"rp{number}"

    def arguments(self) -> list[str]:
        """The port."""
        n = self.number
        return ["-device", f"pcie-root-port,id={self._bus},chassis={n + 1},slot={n + 1},addr=1{n}"]

    def plug(self, qemu: Qemu, guest: Channel) -> None:
        """Put medium and drive into the running machine."""
        self._qemu, self._guest = qemu, guest
        self.medium.plug(qemu)
        self._add()

    def await_namespace(self) -> None:
        """Wait until the guest has its namespace."""
        there = f"until test -b /dev/{self.handle}n1; do sleep 0.02; done; udevadm settle"
        self._guest.shell(there, timeout_s=20).check()

    @contextmanager
    def warning(self, bits: int) -> Iterator[None]:
        """The drive sets bits of its critical warning: 0 spare, 1 temperature, 2 reliability, 3 read-only, 4 backup of
        its volatile memory (NVM Express Base Specification 2.0, 5.16.1.3).
        """
        self._warn(bits)
        try:
            yield
        finally:
            self._warn(0)

    @contextmanager
    def temperature(self, celsius: int) -> Iterator[None]:
        """The drive's sensor shows this. From 70 C on it sets bit 1 of its critical warning by itself."""
        innards = self._qemu.innards()
        address = self._temperature_address(innards)
        innards.write(address, (celsius + KELVIN).to_bytes(2, "little"))
        try:
            yield
        finally:
            innards.write(address, (COOL_C + KELVIN).to_bytes(2, "little"))

    @contextmanager
    def hung(self) -> Iterator[None]:
        """The drive hears of no command any more, until the driver has lost patience (:data:`PATIENCE_MS`) and resets
        it, which helps. QEMU's drive is not quite well after that: another one is put in at the end.
        """
        self._be_impatient()
        with self._qemu.bus() as bus:
            bus.let_reach_memory(self._device, False)
            yield
        self._take_out()
        self._put_back()

    @contextmanager
    def dead(self) -> Iterator[None]:
        """The drive hears of no command, and no reset helps. The guest gives it up within 20 s from its next command on
        (:data:`PATIENCE_MS`, then ``nvme_core.admin_timeout``), and has no such drive until another one is put in at
        the end.
        """
        self._be_impatient()
        stop = threading.Event()
        with self._qemu.bus() as bus:

            def keep_off() -> None:
                with suppress(ConnectionError):  # the machine was switched off
                    while not stop.is_set():
                        bus.let_reach_memory(self._device, False)
                        stop.wait(KEPT_OFF_EACH_S)

            thread = threading.Thread(target=keep_off)
            thread.start()
            try:
                yield
            finally:
                stop.set()
                thread.join()
        self._take_out()
        self._put_back()

    @contextmanager
    def removed(self) -> Iterator[None]:
        """Taken out of its slot in an orderly way, with the machine running; put in again at the end."""
        self._take_out()
        try:
            yield
        finally:
            self._put_back()

    def _take_out(self) -> None:
        self._qemu.qmp("device_del", id=self._device)
        deadline = time.monotonic() + TAKEN_OUT_WITHIN_S
        while self._device in dict(places(self._qemu.qmp("query-pci"))) or self._holds_its_medium():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the guest does not let go of {self.handle}")
            time.sleep(0.02)
        self._guest.shell(
            f"while test -e /dev/{self.handle}; do sleep 0.02; done; udevadm settle", timeout_s=20
        ).check()

    def _holds_its_medium(self) -> bool:
        """QEMU lets go of it a moment after the drive has left the bus."""
        users = (user.get("inserted") or {} for user in self._qemu.qmp("query-block"))
        return any(inserted.get("node-name") == self.medium.name for inserted in users)

    def _put_back(self) -> None:
        self._add()
        self.await_namespace()

    def _add(self) -> None:
        drive = {"driver": "nvme", "id": self._device, "drive": self.medium.name, "serial": self.serial}
        self._qemu.qmp("device_add", bus=self._bus, **drive)

    def _be_impatient(self) -> None:
        self._guest.write(f"/sys/block/{self.handle}n1/queue/io_timeout", str(PATIENCE_MS))

    def _warn(self, bits: int) -> None:
        path = f"/machine/peripheral/{self._device}"
        self._qemu.qmp("qom-set", path=path, property="smart_critical_warning", value=bits)

    def _temperature_address(self, innards: Innards) -> int:
        """Before the byte of the critical warning: the one place where that byte follows what it is set to."""
        cool = (COOL_C + KELVIN).to_bytes(2, "little")
        try:
            where: set[int] | None = None
            for bits in (0b10000, 0b01000, 0b00100):
                self._warn(bits)
                found = innards.find(cool + bytes([bits]))
                where = set(found) if where is None else where & set(found)
        finally:
            self._warn(0)
        if not where or len(where) > 1:
            raise LookupError(f"{len(where or ())} places for the temperature in QEMU's memory: another version?")
        return where.pop()
