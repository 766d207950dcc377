"""A QEMU process, the ways into it, and snapshots of it."""

from tests.bench.machine.channel import Channel, Ran
from tests.bench.machine.qemu import Qemu, QemuDied
from tests.bench.machine.ram import Ram

__all__ = ["Channel", "Qemu", "QemuDied", "Ram", "Ran"]
