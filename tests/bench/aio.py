"""A virtual all-in-one: its hardware, and the ways to start, restore and end it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import cache
from tests.bench.hardware.audio import Audio
from tests.bench.hardware.backlight import Backlight
from tests.bench.hardware.board_sensors import BoardSensors
from tests.bench.hardware.boot_error import BootError
from tests.bench.hardware.camera import Camera
from tests.bench.hardware.clock import Clock
from tests.bench.hardware.cooling import Cooling
from tests.bench.hardware.ecc import Ecc
from tests.bench.hardware.firmware_error import FirmwareError
from tests.bench.hardware.identity import Identity
from tests.bench.hardware.memory import Memory
from tests.bench.hardware.network import Network
from tests.bench.hardware.panel import Panel
from tests.bench.hardware.part import Part
from tests.bench.hardware.pcie import Pcie
from tests.bench.hardware.power import Power
from tests.bench.hardware.processor import Processor
from tests.bench.hardware.storage import Storage
from tests.bench.hardware.tpm import Tpm
from tests.bench.hardware.usb import Usb
from tests.bench.image import Image
from tests.bench.machine import Channel, Qemu
from tests.bench.machine.channel import Silent
from tests.bench.machine.qemu import PROGRAM
from tests.bench.personality import Personality

BOOTED_WITHIN_S = 300.0
OFF_WITHIN_S = 120.0
RESTARTED_WITHIN_S = 360.0
"""A crash, a watchdog's patience, and a start on a busy machine."""
BOOT_ID = "/proc/sys/kernel/random/boot_id"
SHM = Path("/dev/shm")

KERNEL = (
    "root=/dev/vda rw console=ttyS0 quiet loglevel=4 panic=5 mitigations=off nokaslr tsc=unstable no_timer_check "
    "random.trust_cpu=on net.ifnames=1 systemd.show_status=0 nmi_watchdog=0 modprobe.blacklist=kvm_amd,powernow_k8"
)
"""``mitigations=off`` spares an emulated processor work. ``tsc=unstable`` leaves time to the emulated HPET: on a busy
machine the guest measures its cycle counter wrong, and its clock then runs several times too fast. ``panic=5`` restarts
a crashed guest after 5 s, as Debian's own default (0) would leave it standing."""


class VirtualAio:
    """One machine. Made by :func:`started` or :func:`restored`, and over when their block ends.

    Its hardware is in attributes, each with its faults. ``guest`` runs programs in it as root.
    """

    def __init__(self, personality: Personality, image: Image, folder: Path) -> None:
        self.personality = personality
        self.image = image
        self.folder = folder
        tables = personality.parts
        self.identity = Identity(tables.get("identity", {}), folder)
        self.backlight = Backlight(tables.get("backlight", {}), folder)
        self.board_sensors = BoardSensors(tables.get("board_sensors", {}), folder)
        self.boot_error = BootError(tables.get("boot_error", {}), folder)
        self.clock = Clock(tables.get("clock", {}), folder)
        self.cooling = Cooling(tables.get("cooling", {}), folder)
        self.ecc = Ecc(tables.get("ecc", {}), folder)
        self.firmware_error = FirmwareError(tables.get("firmware_error", {}), folder)
        self.memory = Memory(tables.get("memory", {}), folder)
        self.network = Network(tables.get("network", {}), folder)
        self.panel = Panel(tables.get("panel", {}), folder)
        self.audio = Audio(tables.get("audio", {}), folder)
        self.pcie = Pcie(tables.get("pcie", {}), folder)
        self.power = Power(tables.get("power", {}), folder)
        self.processor = Processor(tables.get("processor", {}), folder)
        # Before the drives: the guest takes its time to find what is plugged in here, and goes on meanwhile.
        self.usb = Usb(tables.get("usb", {}), folder)
        self.camera = Camera(tables.get("camera", {}), folder, self.usb)
        self.storage = Storage(tables.get("storage", {}), folder)
        self.tpm = Tpm(tables.get("tpm", {}), folder)
        self.parts: list[Part] = [part for part in vars(self).values() if isinstance(part, Part)]
        self.qemu: Qemu | None = None
        self.console = folder / "console"
        """The socket of the guest's serial console."""

    @property
    def guest(self) -> Channel:
        """The way into the running guest."""
        assert self.qemu is not None, "the machine is off"
        return self.qemu.channel

    def power_on(self) -> None:
        """Start from the disk, as the power button does, and wait until the guest answers."""
        self._boot()
        self._connect()

    def power_cut(self) -> None:
        """The power goes away: nothing that was not on the disk by then will be."""
        assert self.qemu is not None
        self.qemu.kill()
        self.qemu = None
        (self.folder / "ram").unlink()  # memory forgets
        for part in self.parts:
            part.disconnect()

    def await_off(self) -> None:
        """Wait until the machine has switched itself off: what it wrote is on the disk."""
        assert self.qemu is not None
        self.qemu.process.wait(OFF_WITHIN_S)
        self.power_cut()  # of what has no power any more: the memory forgets

    @contextmanager
    def restarting(self) -> Iterator[None]:
        """The machine restarts by itself after this block, as it does after a crash; ends when it is up again."""
        before = self.guest.read(BOOT_ID)
        yield
        deadline = time.monotonic() + RESTARTED_WITHIN_S
        while not self._has_another_boot_id(before):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no restart within {RESTARTED_WITHIN_S:.0f} s")
        self._await_guest()
        for part in self.parts:
            part.settle()

    def _has_another_boot_id(self, before: str) -> bool:
        with contextlib.suppress(Silent):
            return self.guest.ping(2.0) and self.guest.run("/bin/cat", BOOT_ID, timeout_s=5.0).out != before
        return False

    def abort(self) -> None:
        """End QEMU from another thread; whoever works with the machine then finds it gone."""
        qemu = self.qemu
        if qemu is not None:
            qemu.process.kill()

    def _boot(self) -> None:
        self._begin()
        self._await_guest()
        for part in self.parts:
            part.settle()

    def _begin(self, *more: str) -> None:
        arguments = [word for part in self.parts for word in part.arguments()]
        kernel = " ".join([KERNEL, *dict.fromkeys(word for part in self.parts for word in part.kernel())])
        disk = self.folder / "root.qcow2"
        if not disk.exists():
            _overlay(self.image.disk, disk)
        boot = [
            *("-kernel", str(self.image.kernel), "-initrd", str(self.image.initrd), "-append", kernel),
            *("-blockdev", f"driver=file,node-name=root-file,filename={disk}"),
            *("-blockdev", "driver=qcow2,node-name=root,file=root-file,discard=unmap"),
            *("-device", "virtio-blk-pci,drive=root,id=root-disk,addr=4"),
            *(
                "-chardev",
                f"socket,id=console,path={self.console},server=on,wait=off,logfile={self.folder / 'console.log'}",
            ),
            *("-serial", "chardev:console"),
        ]
        self.qemu = Qemu(self.folder, self.folder / "ram", [*boot, *arguments, *more], ram_mib=self.memory.mib)
        for part in self.parts:
            part.attach(self.qemu, self.qemu.channel)

    def _await_guest(self) -> None:
        deadline = time.monotonic() + BOOTED_WITHIN_S
        while not self.guest.ping(2.0):
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"no answer {BOOTED_WITHIN_S:.0f} s after power-on; see {self.folder / 'console.log'}"
                )
        # "degraded" is an answer too: a unit of the guest that failed is none of the bench's business here. Asked very
        # early, systemctl cannot reach systemd yet and says so at once.
        until_up = "until systemctl is-system-running --wait | grep -Eqx 'running|degraded'; do sleep 0.1; done"
        self.guest.shell(until_up, timeout_s=BOOTED_WITHIN_S)

    def _save(self, snapshot: Path) -> None:
        """Freeze the running machine into a folder: its devices' state, its memory, its disk."""
        assert self.qemu is not None
        self.guest.run("/bin/sync").check()
        self.qemu.qmp("stop")
        _ignore_shared(self.qemu)
        self.qemu.qmp("migrate", uri=f"exec:cat > {snapshot / 'state'}")
        while (status := self.qemu.qmp("query-migrate").get("status")) in {"setup", "active", "device"}:
            time.sleep(0.01)
        if status != "completed":
            raise RuntimeError(f"the snapshot is {status}")
        self.qemu.qmp("quit")
        self.qemu.process.wait()
        for name in ("ram", "root.qcow2"):
            _copy(self.folder / name, snapshot / name, holes="always")

    def _restore(self, snapshot: Path) -> None:
        _copy(snapshot / "ram", self.folder / "ram", holes="auto")
        _overlay(snapshot / "root.qcow2", self.folder / "root.qcow2")
        self._begin("-incoming", "defer")
        assert self.qemu is not None
        _ignore_shared(self.qemu)
        self.qemu.qmp("migrate-incoming", uri=f"exec:cat {snapshot / 'state'}")
        while (status := self.qemu.qmp("query-status"))["status"] == "inmigrate":
            time.sleep(0.005)
        if status["status"] not in {"paused", "running", "postmigrate", "prelaunch"}:
            raise RuntimeError(f"the restored machine is {status['status']}")
        self.qemu.qmp("cont")
        self._connect()

    def _connect(self) -> None:
        for part in self.parts:
            part.connect()
        for part in self.parts:
            part.ready()


@contextmanager
def started(personality: Personality, image: Image) -> Iterator[VirtualAio]:
    """A machine after a cold start (15 to 25 s), switched off and forgotten at the end."""
    with _machine(personality, image) as aio:
        aio.power_on()
        yield aio


@contextmanager
def restored(personality: Personality, image: Image) -> Iterator[VirtualAio]:
    """A machine that was started long ago, within a second or two; its snapshot is made the first time."""
    saved = snapshot(personality, image)
    with _machine(personality, image) as aio:
        aio._restore(saved)
        yield aio


def snapshot(personality: Personality, image: Image) -> Path:
    """The folder of a personality's snapshot, from the cache or made by a cold start."""
    here = Path(__file__).resolve().parent
    folders = [here / "hardware", here / "hardware" / "asl", here / "machine"]
    recipe = [here / "aio.py", *(path for folder in folders for path in sorted(folder.glob("*.*")))]
    files = [path for path in recipe if path.is_file()]
    version = subprocess.run([PROGRAM, "--version"], check=True, capture_output=True, text=True).stdout
    wanted = cache.key(image.key, repr(personality), version, files)
    home = cache.cache_directory() / "snapshots" / personality.name
    with cache.locked(f"snapshot-{personality.name}"):
        folder = home / wanted
        if not folder.exists():
            home.mkdir(parents=True, exist_ok=True)
            cache.only(home, keep=wanted)
            making = home / "making"
            making.mkdir()
            with _machine(personality, image) as aio:
                aio._boot()
                aio._save(making)
            making.rename(folder)
    return folder


@contextmanager
def _machine(personality: Personality, image: Image) -> Iterator[VirtualAio]:
    """A machine that is still off, with a folder in memory; whatever runs of it at the end is ended."""
    folder = Path(tempfile.mkdtemp(prefix=f"aio-{os.getpid()}-", dir=SHM))
    try:
        aio = VirtualAio(personality, image, folder)
        try:
            yield aio
        finally:
            if aio.qemu:
                aio.power_cut()
            for part in aio.parts:
                part.disconnect()
    finally:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)


def _ignore_shared(qemu: Qemu) -> None:
    """Leave the memory out of the state: it is a file already (QEMU, ``x-ignore-shared``)."""
    qemu.qmp("migrate-set-capabilities", capabilities=[{"capability": "x-ignore-shared", "state": True}])


def _overlay(backing: Path, disk: Path) -> None:
    kind = "qcow2" if backing.suffix == ".qcow2" else "raw"
    words = ["create", "-q", "-f", "qcow2", "-b", str(backing), "-F", kind, str(disk)]
    subprocess.run(["/usr/bin/qemu-img", *words], check=True)


def _copy(source: Path, target: Path, *, holes: str) -> None:
    """Zeros become holes, "always"; or, twice as fast, only what is a hole stays one ("auto")."""
    subprocess.run(["/bin/cp", f"--sparse={holes}", str(source), str(target)], check=True)
