"""A fresh Debian 12 without anything of this checkout, to install a package in: a directory tree of Debian's own, below
an overlay in memory, with processes and a network of its own that leads nowhere.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

_SUITE = "bookworm"
_ROOM = """
mount -t tmpfs -o mode=755 none {work}
cd {work}
mkdir up w root
mount -t overlay -o lowerdir={base},upperdir=up,workdir=w overlay root
cd root
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
for d in dev run tmp; do mount -t tmpfs -o mode=755 none $d; done
chmod 1777 tmp
while read name major minor; do mknod -m 666 dev/$name c $major $minor; done <<E
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
E
mkdir dev/shm dev/pts old
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
chmod 1777 dev/shm
ip link set lo up
cp {files} tmp
pivot_root . old
umount -l /old
rmdir /old
echo ready
exec cat
"""
_INSIDE = (
    "/usr/bin/env",
    "-i",
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL=C.UTF-8",
    "DEBIAN_FRONTEND=noninteractive",
)


class Room:
    """That Debian; ``pid`` is its first process here."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def ran(self, script: str, *, status: int | None = 0, user: str = "root") -> str:
        """Run a shell script there, and give what it printed, on both streams."""
        who = () if user == "root" else ("/usr/sbin/runuser", "-u", user, "--")
        enter = ["/usr/bin/nsenter", "-t", str(self.pid), "-m", "-p", "-n", "-i", "-u"]
        done = subprocess.run(
            [*enter, *_INSIDE, *who, "/bin/sh", "-ec", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert status is None or done.returncode == status, f"{script}\n{done.returncode}\n{done.stdout}"
        return done.stdout


@contextmanager
def debian(work: Path, packages: Sequence[str], *files: Path) -> Iterator[Room]:
    """With these packages of Debian and what they depend on, and copies of ``files`` in /tmp; ``work`` is an empty
    directory. Skips the test where that cannot be done.
    """
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if not os.path.exists("/usr/bin/mmdebstrap"):
        pytest.skip("mmdebstrap is not installed")
    quoted = {"work": shlex.quote(str(work)), "base": shlex.quote(str(_base(packages)))}
    script = _ROOM.format(**quoted, files=shlex.join(str(file) for file in files))
    apart = ["/usr/bin/unshare", "-m", "-p", "-f", "-n", "-i", "-u", "--propagation", "private", "--kill-child"]
    outer = subprocess.Popen(
        ["/usr/bin/setpriv", "--pdeathsig", "KILL", *apart, "/bin/sh", "-ec", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with outer:
        try:
            assert outer.stdout is not None
            said = outer.stdout.readline()
            if said != "ready\n":
                pytest.skip(f"no room can be made apart here: {said}{outer.stdout.read()}")
            yield Room(int(Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()[0]))
        finally:
            outer.kill()  # what is in there goes with it (--kill-child)


def _base(packages: Sequence[str]) -> Path:
    """The tree, in a cache outside the repository, made once for each list of packages (a minute or two)."""
    digest = hashlib.sha256("\n".join([_SUITE, *sorted(packages)]).encode()).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aiodiag-tests"
    cache.mkdir(parents=True, exist_ok=True)
    tree = cache / f"debian-{digest[:16]}"
    with (cache / "debian-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.exists():
            half = tree.with_suffix(".half")
            shutil.rmtree(half, ignore_errors=True)
            lines = sources(_SUITE)
            subprocess.run(
                [
                    "/usr/bin/mmdebstrap",
                    "--quiet",
                    "--variant=minbase",
                    f"--include={','.join(packages)}",
                    '--aptopt=APT::Install-Recommends "false"',
                    _SUITE,
                    half,
                    *(["-"] if lines else []),
                ],
                input=lines,
                text=True,
                check=True,
                timeout=1200,
            )
            half.rename(tree)
    return tree


def sources(suite: str) -> str:
    """This machine's own sources for Debian, where they are of the same suite: it may use a mirror."""
    deb822 = Path("/etc/apt/sources.list.d/debian.sources")
    text = deb822.read_text("utf-8") if deb822.exists() else ""
    return text if re.search(rf"^Suites:.*\b{suite}\b", text, re.MULTILINE) else ""
