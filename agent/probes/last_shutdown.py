"""How the session before this one ended: in order, by a panic, a machine check, a watchdog, heat, or without a word.

Sources, the surest first: ``bootstatus`` of the watchdog (Documentation/watchdog/watchdog-api.rst), the last lines of
the last boot in a persistent journal, panic records in ``/sys/fs/pstore`` and where systemd-pstore keeps them
(Documentation/ABI/testing/pstore, systemd-pstore(8)), the starts and shutdowns in wtmp (``last -x``, which an ordinary
user may read).

Readings: ``last_shutdown.kind`` (``orderly``, ``panic``, ``machine-check``, ``watchdog``, ``thermal``,
``power-loss-or-reset``) and ``last_shutdown.clean`` (yes/no), both absent where no source says;
``last_shutdown.crash_line`` (text); ``last_shutdown.uptime_s`` (s since this start).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from agent.host import Host
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text, Tree, Value
from agent.probes._kernel_lines import parse
from agent.probes._probe import Probe, Seen
from agent.tools.gap import program_gap

TAIL_LINES = 300
PROGRAM_TIMEOUT_S = 10.0
TEXT_CAP = 300
JOURNALS = "/var/log/journal/*/*.journal"
LIVE_RECORDS = "/sys/fs/pstore/dmesg-*"
KEPT_RECORDS = "/var/lib/systemd/pstore/*/dmesg-*"
BOOT_STATUS = "/sys/class/watchdog/watchdog*/bootstatus"

PANIC = "Kernel panic - not syncing"
_MACHINE_CHECK = re.compile(
    r"(?i:fatal (?:local )?machine check|machine check from unknown source|fatal hardware error)"
)
"""In a panic's line: a hardware error after which the processor (arch/x86/kernel/cpu/mce/core.c), or firmware
(drivers/acpi/apei/ghes.c), says that the unit cannot go on.
"""
CARD_RESET, OVERHEAT = 0x0020, 0x0001
"""WDIOF_CARDRESET (the watchdog reset the unit) and WDIOF_OVERHEAT (include/uapi/linux/watchdog.h)."""

RECENT_S = 3600.0
"""A kept panic record counts for the last session when it was written at most this long before this start; ours, as a
person switches a frozen unit off and on within the hour."""


@dataclass(frozen=True, slots=True)
class _End:
    kind: str
    source: str
    time: str
    line: str = ""


class LastShutdownProbe(Probe):
    """The end of the last session."""

    area: ClassVar[str] = "last_shutdown"
    timeout_s: ClassVar[float] = 25.0
    programs: ClassVar[tuple[str, ...]] = ("journalctl", "last")

    def gather(self, host: Host) -> Iterator[Evidence | Gap]:
        """A few files, ``last``, and the tail of the last boot where a persistent journal is there."""
        yield host.tree("/proc/uptime", "/proc/sys/kernel/random/boot_id", BOOT_STATUS, LIVE_RECORDS, KEPT_RECORDS)
        yield host.output("last", "last", "-x", "-F", "-n", "8", "reboot", "shutdown", timeout_s=PROGRAM_TIMEOUT_S)
        if host.glob(JOURNALS):
            words = ("-b", "-1", "-o", "short-monotonic", "--no-pager", "-q", "-n", str(TAIL_LINES))
            yield host.output("journal-last-boot", "journalctl", *words, timeout_s=PROGRAM_TIMEOUT_S)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        """Readings ``last_shutdown.*``."""
        usable = [e for e in evidence if e.exit_status in (0, None) and e.problem is None and e.data.strip()]
        end = _end(usable)
        if not any(e.kind == "journal-last-boot" for e in usable):
            yield _no_journal(evidence, essential=end is None)
        for item in usable:
            uptime = _uptime(item.tree()) if item.kind == "tree" else None
            if uptime is not None:
                yield _reading("last_shutdown.uptime_s", uptime, "s", _End("", "/proc/uptime", item.time))
        if end is None:
            return
        yield _reading("last_shutdown.kind", end.kind, "", end)
        yield _reading("last_shutdown.clean", end.kind == "orderly", "", end)
        if end.line:
            yield _reading("last_shutdown.crash_line", end.line, "", end)


def _no_journal(evidence: Sequence[Evidence], *, essential: bool) -> Gap:
    for item in evidence:
        # Without a journal of that boot journalctl fails too; it then says so, and that is no error.
        if item.kind == "journal-last-boot" and (item.problem or "permission" in item.text()):
            return program_gap(item, "journal", essential=essential, as_root="sudo aiodiag probe last_shutdown")
    reason = Text("no journal of the last session is kept")
    return Gap("journal", Outcome.UNSUPPORTED, reason, essential)


def _end(evidence: Sequence[Evidence]) -> _End | None:
    """The first source that says how it ended. An orderly end in the journal outweighs a panic record, which may be an
    old one that nobody removed.
    """
    trees = [e for e in evidence if e.kind == "tree"]
    journals = [end for e in evidence if e.kind == "journal-last-boot" for end in [_by_journal(e)]]
    candidates = [
        *(end for e in trees for end in _by_watchdog(e)),
        *(end for end in journals if end.kind in ("thermal", "panic", "machine-check", "orderly")),
        *(end for e in trees for end in _by_records(e)),
        *journals,
        *(end for e in evidence if e.kind == "last" for end in _by_wtmp(e)),
    ]
    return candidates[0] if candidates else None


def _by_watchdog(evidence: Evidence) -> Iterator[_End]:
    tree = evidence.tree()
    for path in tree.paths(BOOT_STATUS):
        status = tree.integer(path) or 0
        if status & CARD_RESET:
            yield _End("watchdog", path, evidence.time)
        elif status & OVERHEAT:
            yield _End("thermal", path, evidence.time)


_ORDERLY = re.compile(
    r"systemd(?:-journald|-shutdown)?\[\d+\]: "
    r"(?:Journal stopped|Shutting down\.|Syncing filesystems|Reached target (?:.* - )?(?:System )?"
    r"(?:Power[ -]?Off|Reboot|Halt|Shutdown|Late Shutdown Services|Unmount All Filesystems))"
)


def _by_journal(evidence: Evidence) -> _End:
    """What the last lines of the last boot say. ``Journal stopped`` is journald's last word before the disks are
    unmounted; a session that ends without any of these words was cut off.
    """
    lines = evidence.text().splitlines()
    kernel = "\n".join(line for line in lines if " kernel: " in line)
    for kind, words in (("thermal", "critical temperature reached"), ("panic", PANIC)):
        said = _first_with(words, kernel)
        if said:
            return _End(_crash(kind, said), evidence.source, evidence.time, said)
    orderly = any(_ORDERLY.search(line[:TEXT_CAP]) for line in lines[-100:])
    return _End("orderly" if orderly else "power-loss-or-reset", evidence.source, evidence.time)


def _by_records(evidence: Evidence) -> Iterator[_End]:
    tree = evidence.tree()
    for path in tree.paths(LIVE_RECORDS) + tree.paths(KEPT_RECORDS):
        text = tree.text(path)
        if text is None or not text.startswith("Panic#"):
            continue  # an oops that the kernel survived, or a compressed record
        if path.startswith("/sys/") or _is_recent(path, tree, evidence.time):
            said = _first_with(PANIC, text)
            yield _End(_crash("panic", said), path, evidence.time, said)


def _crash(kind: str, line: str) -> str:
    """A panic is the hardware's where it says so; else it may be the software's."""
    return "machine-check" if kind == "panic" and _MACHINE_CHECK.search(line) else kind


def _is_recent(path: str, tree: Tree, now: str) -> bool:
    """Whether a kept record was written shortly before this start. efi-pstore puts seconds since 1970, times 100 000,
    into the name (drivers/firmware/efi/efi-pstore.c).
    """
    uptime, stamp = _uptime(tree), re.search(r"(\d{10})\d{5}$", path)
    if uptime is None or stamp is None:
        return False
    try:
        started = datetime.fromisoformat(now).timestamp() - uptime
    except (ValueError, OverflowError):
        return False
    return -60.0 <= started - int(stamp[1]) <= RECENT_S


def _by_wtmp(evidence: Evidence) -> Iterator[_End]:
    """``last -x`` has the newest first: the first line is this start, the second what came before it."""
    words = [line.split(maxsplit=1)[0] for line in evidence.text().splitlines() if line.strip()]
    words = [word for word in words if word in ("reboot", "shutdown")]
    if words[:1] == ["reboot"] and len(words) > 1:
        kind = "orderly" if words[1] == "shutdown" else "power-loss-or-reset"
        yield _End(kind, evidence.source, evidence.time)


def _uptime(tree: Tree) -> float | None:
    text = tree.text("/proc/uptime") or ""
    match = re.match(r"\d{1,12}\.\d{1,3}\b", text)
    return float(match[0]) if match else None


def _first_with(words: str, log: str) -> str:
    for message in parse(log):
        if words in message.text:
            return "".join(c if c.isprintable() else " " for c in message.text[:TEXT_CAP])
    return ""


def _reading(name: str, value: Value, unit: str, end: _End) -> Reading:
    return Reading(name, value, unit, ComponentKind.MOTHERBOARD, "", end.source, end.time)


PROBE = LastShutdownProbe()
