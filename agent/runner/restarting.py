"""A warm restart of the unit that a plan asks for: whether it may be, and how it is asked for.

It is on record before it is asked for, and so is how many there were in the run: whatever becomes of the unit, the next
start knows of it, and no run restarts a unit for ever.

Refused where the unit would not come back to this system by itself, as far as that can be told. What cannot: a
password that the firmware or an encrypted disk asks for, a unit without UEFI that was started from a boot menu, a
person who has to switch something on.
Sources: proc(5) mountinfo; UEFI 2.10 section 3.1.3 (BootCurrent, BootNext, BootOrder: 16 bits each, behind the four
bytes of attributes of efivarfs); Documentation/ABI/testing/sysfs-kernel-boot_params and systemctl(1): with a kernel
loaded for kexec a restart may leave out the firmware.
"""

from __future__ import annotations

import re
import signal
import struct
import time
from collections.abc import Callable
from pathlib import Path

from agent.host import Host
from agent.model import Text, Tree
from agent.runner.engine import STOPPING

PAUSE_S = 10.0
"""Seconds between the announcement and the restart, in which a person can stop it; ours."""
MOST = 200
"""Restarts of one run; ours. FIELD asks for 15 to 30, a verification at 95 % for up to four times as many."""
ASK_S = 30.0
"""Seconds for systemd to answer; it only has to note it down."""
CLOCK = "/sys/class/rtc/rtc0/since_epoch"
"""What the battery-backed clock says (Documentation/ABI/testing/sysfs-class-rtc)."""
SERVICE = "aiodiag-resume.service"
STATE = Path("/var/lib/aiodiag")
"""Where the service looks for a run that is to go on (packaging/systemd)."""

_MOUNTS = "/proc/self/mountinfo"
_SYSTEMD = "/run/systemd/system"
_KEXEC = "/sys/kernel/kexec_loaded"
_EFI = "/sys/firmware/efi/efivars/Boot{}-8be4df61-93ca-11d2-aa0d-00e098032b8c"
_VOLATILE = frozenset({"aufs", "iso9660", "overlay", "ramfs", "rootfs", "squashfs", "tmpfs"})
"""File systems of a system that was started from a CD or a stick and keeps nothing."""


class Restarting(Exception):
    """The unit goes down now; the run stays open, and goes on when it is up again."""

    reason = Text("the unit restarts now; this goes on by itself when it is up again")


class RestartRefused(Exception):
    """The unit must not be restarted, or was not; ``reason`` is for the person."""

    def __init__(self, reason: Text) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Restarter:
    """Restarts the unit that it runs on; ``say`` tells the person."""

    def __init__(self, host: Host, state: Path, say: Callable[[Text], None]) -> None:
        self._host, self._state, self._say = host, state, say

    def refusal(self) -> Text | None:
        """Why the unit must not be restarted now; ``None`` where it may."""
        host = self._host
        if host.root or not host.is_root:
            return Text("needs root")
        if not host.exists(_SYSTEMD):
            return Text("this system was not started by systemd")
        if self._state != STATE:
            return Text("the check keeps its files where the service that goes on after a restart does not look")
        enabled = host.run("systemctl", "is-enabled", SERVICE, timeout_s=ASK_S)
        if enabled.stdout.strip() != b"enabled":
            return Text("{service} is not enabled, so nothing would go on after a restart", {"service": SERVICE})
        paths = (_MOUNTS, _KEXEC, *(_EFI.format(what) for what in ("Current", "Next", "Order")))
        return stays_away(host.tree(*paths).tree(), str(self._state))

    def announce(self) -> None:
        """Tell the person, and give them time to stop it."""
        values: dict[str, str | int | float] = {"seconds": round(PAUSE_S), "command": f"systemctl stop {SERVICE}"}
        self._say(
            Text(
                "the unit restarts in {seconds} s. Ctrl-C stops it; once it is up again, {command} does",
                values,
            )
        )
        time.sleep(PAUSE_S)

    def ask(self) -> Text | None:
        """Ask for the restart. Nothing ends this process by a signal from then on: it must leave everything as it is.
        Gives the reason where it was refused; the signals are heard again then.
        """
        heard = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        asked = self._host.run("systemctl", "reboot", timeout_s=ASK_S)
        if asked.reason is None and asked.exit_status == 0:
            return None
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)
        said = (asked.stderr or asked.stdout).decode("utf-8", "replace").strip()[:200]
        return asked.reason or Text("{program} failed: {error}", {"program": "systemctl", "error": said})


def stays_away(tree: Tree, state: str) -> Text | None:
    """Why a unit would not come back by itself to the system and the files that it has now; ``None`` where nothing
    says so. ``tree`` holds the mounts, the firmware's boot variables and whether a kernel is loaded for kexec.
    """
    kinds = _kinds(tree.text(_MOUNTS) or "")
    homes = [point for point in kinds if point == "/" or f"{state}/".startswith(f"{point}/")]
    lost = {"/", max(homes, key=len, default="/")}
    if any(kinds.get(point, "rootfs") in _VOLATILE for point in lost):
        return Text("this system keeps nothing over a restart: it was started from a stick, a CD or the network")
    if tree.integer(_KEXEC):
        return Text("another kernel waits to be started (kexec), so the firmware would not start the unit")
    current, following, order = (_boot(tree, what) for what in ("Current", "Next", "Order"))
    if following:
        return Text("the firmware is told to start something else the next time")
    if current and order and current[0] != order[0]:
        return Text("the unit was started from something that is not the first in the firmware's boot order")
    return None


def _kinds(mounts: str) -> dict[str, str]:
    """Mount point -> type of what is mounted there; the last one covers those before it."""
    found = re.findall(r"^\d+ \d+ \S+ \S+ (\S+) .*? - (\S+) ", mounts, re.MULTILINE)
    return {point.encode().decode("unicode_escape"): kind for point, kind in found}


def _boot(tree: Tree, what: str) -> tuple[int, ...]:
    data = tree.binary(_EFI.format(what)) or b""
    return struct.unpack(f"<{(len(data) - 4) // 2}H", data[4 : 4 + (len(data) - 4) // 2 * 2]) if len(data) > 4 else ()
