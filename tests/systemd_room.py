"""A systemd of its own, with units of ours, in which nothing can reach this machine: what it writes goes to memory and
is gone with it, it has a network of its own with nothing in it, and sees no process but its own.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.agent_process import ROOT

_HIERARCHIES = ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd")
"""Where systemd's control groups are: of version 2, or of version 1."""

# Every file system of the machine is below an overlay in memory; what is below /sys and /proc/sys is read-only.
_ROOM = """
W={work} R={work}/root
mount -t tmpfs -o mode=755 none $W
mkdir $W/up $W/w $R
mount -t overlay -o lowerdir=/,upperdir=$W/up,workdir=$W/w overlay $R
mount -t proc proc $R/proc
mount --bind $R/proc/sys $R/proc/sys
mount -o remount,bind,ro $R/proc/sys
mount -t sysfs -o ro sysfs $R/sys
{cgroups}
for d in dev run tmp var/lib var/log; do mount -t tmpfs -o mode=755 none $R/$d; done
chmod 1777 $R/tmp
while read name major minor; do mknod -m 666 $R/dev/$name c $major $minor; done <<E
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
E
mkdir $R/dev/shm $R/dev/pts $R/dev/mqueue $R/dev/hugepages
mount -t devpts -o newinstance,ptmxmode=666 devpts $R/dev/pts
ln -s pts/ptmx $R/dev/ptmx
rm -rf $R/etc/systemd/system
mkdir $R/etc/systemd/system
cp -r {units}/. $R/etc/systemd/system
ip link set lo up
mkdir $R/checkout $R/packages
mount --bind {checkout} $R/checkout
mount --bind {packages} $R/packages
mount -o remount,bind,ro $R/checkout
mount -o remount,bind,ro $R/packages
mkdir $R/old
cd $R
pivot_root . old
umount -l /old
exec env container=docker /lib/systemd/systemd --system --unit=nothing.target --show-status=no --log-target=null
"""
_CGROUPS = {
    _HIERARCHIES[0]: "mount -t cgroup2 none $R/sys/fs/cgroup",
    _HIERARCHIES[1]: "mount -t tmpfs none $R/sys/fs/cgroup\nmkdir $R/sys/fs/cgroup/systemd\n"
    "mount -t cgroup -o none,name=systemd none $R/sys/fs/cgroup/systemd",
}
PYTHONPATH = "/checkout:/packages"
"""Where this checkout, and the packages that it runs with, are in there, wherever they are outside: /tmp is another."""
NOTHING = "[Unit]\nDescription=Nothing\nDefaultDependencies=no\n"


class Manager:
    """That systemd; ``pid`` is its process here."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program where the units run, as root."""
        return self._entered(("-m", "-p", "-n", "-C"), command)

    def on_its_network(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a program of this machine that reaches the units by network, and them alone."""
        return self._entered(("-n",), command, **environment)

    def _entered(
        self, where: tuple[str, ...], command: tuple[str, ...], **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/usr/bin/nsenter", "-t", str(self.pid), *where, *command],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    def property(self, unit: str, name: str) -> str:
        return self.inside("systemctl", "show", "-P", name, unit).stdout.strip()

    def answers(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.inside("systemctl", "is-active", "nothing.target").stdout.strip() == "active":
                return True
            time.sleep(0.2)
        return False


@contextmanager
def systemd(units: Path, work: Path) -> Iterator[Manager]:
    """Run it with the units in a directory; ``work`` is an empty one. Skips the test where that cannot be done."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    (units / "nothing.target").write_text(NOTHING)
    base = next((h for h in reversed(_HIERARCHIES) if os.access(f"{h}/cgroup.procs", os.W_OK)), None)
    if base is None or not os.path.exists("/lib/systemd/systemd"):
        pytest.skip("no systemd, or no control groups to be had")
    group = Path(base) / f"aiodiag-room-{os.getpid()}"
    group.mkdir()
    paths = {"work": work, "units": units, "checkout": ROOT, "packages": sysconfig.get_path("purelib")}
    quoted = {name: shlex.quote(str(path)) for name, path in paths.items()}
    script = _ROOM.format(**quoted, cgroups=_CGROUPS[base])
    apart = ["/usr/bin/unshare", "-m", "-p", "-f", "-C", "-i", "-u", "-n", "--propagation", "private", "--kill-child"]
    enter = f"echo $$ > {group}/cgroup.procs; exec {shlex.join([*apart, '/bin/sh', '-ec', script])}"
    outer = subprocess.Popen(
        ["/usr/bin/setpriv", "--pdeathsig", "KILL", "/bin/sh", "-ec", enter],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with outer:
        try:
            manager = Manager(_child(outer))
            if not manager.answers(30):
                outer.kill()
                said = outer.stdout.read().decode() if outer.stdout else ""
                pytest.skip(f"no systemd can be started apart here: {said.strip()[-300:]}")
            yield manager
        finally:
            outer.kill()  # what is in there goes with it (--kill-child)
            outer.wait(30)
            _remove(group)


def _child(outer: subprocess.Popen[bytes]) -> int:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            found = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
            if found:
                return int(found[0])
        time.sleep(0.05)
    outer.send_signal(signal.SIGKILL)
    pytest.skip("no namespaces are to be had here")


def _remove(group: Path) -> None:
    until = time.monotonic() + 10
    while group.exists() and time.monotonic() < until:
        for folder, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        time.sleep(0.1)
