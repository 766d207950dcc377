"""What the kernel said of hardware while a test ran. A probe reads the log once, before; many faults need the load.

Follows ``/dev/kmsg`` (root) from its end and understands it as the kernel log's probe does, with the same table of
messages. Readings, the subject being the device: ``kernel_log_watch.<family>.count`` (count), ``.first_s`` and
``.last_s`` (s since the start of the kernel), ``.line``, ``.held_back``, ``.drive``, ``.model`` and ``.bus`` as the
probe has them; and ``kernel_log_watch.<family>.after``, when the first came, in s since the watch began. Of the whole
watch ``kernel_log_watch.lines`` (count), ``kernel_log_watch.seconds`` (s) and, where the kernel said more than its ring
holds before it was read, ``kernel_log_watch.lost`` (count).

What was said is kept record by record; of a flood what came first, while the rest is counted.
Source of the format: Linux Documentation/ABI/testing/dev-kmsg. What programs write into the log is left out: its
facility is not the kernel's.
"""

from __future__ import annotations

import json
import math
import os
import re
import select
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.host import Host, now
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text
from agent.probes._kernel_devices import names_a_device
from agent.probes._kernel_lines import LINE_CAP, Message, parse
from agent.probes._kernel_messages import DEVICE_CAP, Seen, families, survey
from agent.probes.kernel_log import values
from agent.watch._lookout import Lookout
from agent.watch._watcher import Observed, Watcher

RECORDS_KEPT = 2000
"""Records that are kept as they are; a boot has 1 500, a test of a healthy unit hardly any. Ours."""
NAMES_KEPT = 256
"""Earlier records that say how devices hang together; as many devices as the log's reader tells apart. Ours."""
AT_ONCE = 500
"""Records beyond those kept that are counted together, so that a flood takes little memory and time. Ours."""
OVERTIME_S = 1.0
"""Seconds beyond the end for what is still to be read; a flood may come faster than it can be read. Ours."""
IDLE_S = 0.2
"""Seconds for which the log is waited for at a time, or until the next look where it is no device that could be waited
for; ours.
"""

_KMSG = "/dev/kmsg"
_SAID, _NAMES, _SUMMARY = "kmsg", "kmsg-names", "kernel-log-watch-json"
_RECORD = re.compile(rb"(\d{1,4}),(\d{1,19}),\d{1,19},[^;]{0,80};")
_FACILITIES = 8  # the prefix is facility * 8 + level (syslog(2)); facility 0 is the kernel
_NUMBER = 1 << 53


@dataclass(slots=True)
class _Said:
    """What came while it was listened to. ``beyond`` is by family and device: messages by kind, first and last
    time, line.
    """

    kept: list[bytes] = field(default_factory=list)
    lines: int = 0
    lost: int = 0
    beyond: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    waiting: list[bytes] = field(default_factory=list)

    def take(self, record: bytes) -> None:
        self.lines += 1
        if len(self.kept) < RECORDS_KEPT:
            self.kept.append(record)
            return
        self.waiting.append(record)
        if len(self.waiting) >= AT_ONCE:
            self.count()

    def count(self) -> None:
        """Count what was not kept."""
        for seen in survey(_messages(self.waiting)):
            device = seen.device if len(self.beyond) < DEVICE_CAP * len(families()) else ""
            first: list[Any] = [{}, seen.first.time_s, None, seen.first.text]
            known = self.beyond.setdefault((seen.family.name, device), first)
            for kind, number in seen.counts.items():
                known[0][kind] = known[0].get(kind, 0) + number
            known[2] = seen.last.time_s
        self.waiting.clear()


class KernelLogWatcher(Watcher):
    """See the module."""

    name = "kernel_log"

    def watch(self, host: Host, lookout: Lookout) -> Iterator[Evidence | Gap]:
        """What was said before of how devices hang together, what was said meanwhile, and how much that was."""
        try:
            log = os.open(host.root + _KMSG, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except FileNotFoundError:
            return
        except OSError as e:
            yield _unreadable(e)
            return
        try:
            started, begun = now(), time.monotonic()
            names = _names(log)
            lookout.begin()
            said = _Said()
            trouble = _listen(log, said, lookout)
        finally:
            os.close(log)
        if names:
            yield Evidence(_NAMES, "", b"\n".join(names), _KMSG, started)
        if said.kept:
            yield Evidence(_SAID, "", b"\n".join(said.kept), _KMSG, started, truncated=said.lines > len(said.kept))
        if said.waiting:
            said.count()
        seconds = round(time.monotonic() - begun, 2)
        summary = {
            "seconds": seconds,
            "began_s": round(begun, 3),
            "lines": said.lines,
            "lost": said.lost,
            "beyond": [[*key, *more] for key, more in said.beyond.items()],
        }
        yield Evidence(_SUMMARY, "", json.dumps(summary).encode(), _KMSG, started, duration_s=seconds)
        if trouble:
            yield _unreadable(trouble)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Observed]:
        """Readings of each family and device, and of the whole watch."""
        summary = next((e.json() for e in evidence if e.kind == _SUMMARY), None)
        summary = summary if isinstance(summary, dict) else {}
        piece = next((e for kind in (_SAID, _SUMMARY) for e in evidence if e.kind == kind), None)
        if piece is None:
            return
        said = [e.text() for e in evidence if e.kind == _SAID]
        names = [m.text for e in evidence if e.kind == _NAMES for m in parse(e.text())]
        found = {(s.family.name, s.device): s for s in survey((m for text in said for m in parse(text)), names)}
        for more in _beyond(summary):
            known = found.setdefault((more.family.name, more.device), more)
            if known is not more:
                known.absorb(more)
        began = _number(summary.get("began_s"))
        for seen in found.values():
            yield from _readings(seen, began, piece)
        for quantity, unit in (("lines", "count"), ("seconds", "s"), ("lost", "count")):
            value = _number(summary.get(quantity))
            if value is not None and (value or quantity != "lost"):
                name, part = f"kernel_log_watch.{quantity}", ComponentKind.MOTHERBOARD
                yield Reading(name, value, unit, part, "", piece.source, piece.time)


WATCHER = KernelLogWatcher()


def _unreadable(error: OSError) -> Gap:
    if isinstance(error, PermissionError):
        return Gap("", Outcome.UNSUPPORTED, Text("needs root"), remedy="sudo aiodiag selfcheck")
    return Gap("", Outcome.ERROR, Text("could not be read: {error}", {"error": f"{_KMSG}: {error.strerror}"}))


def _names(log: int) -> list[bytes]:
    """What the kernel said so far of how devices hang together; leaves the log at its end."""
    found: list[bytes] = []
    for record in _drain(log):
        if isinstance(record, bytes) and len(found) < NAMES_KEPT:
            text = record.partition(b";")[2][:LINE_CAP].decode("utf-8", "replace")
            if names_a_device(text):
                found.append(record)
    return found


def _listen(log: int, said: _Said, lookout: Lookout) -> OSError | None:
    """Take in what is said; gives what ended it before its time."""
    poll = select.poll()
    poll.register(log, select.POLLIN)
    enough = math.inf
    while True:
        going = lookout.goes_on()
        events = poll.poll(IDLE_S * 1000) if going else []
        if events and not any(event & select.POLLIN for _, event in events):
            lookout.pause(IDLE_S)
        for record in _drain(log):
            if isinstance(record, OSError):
                return record
            if record is None:
                said.lost += 1
            else:
                said.take(record)
            if not lookout.goes_on():
                enough = min(enough, time.monotonic() + OVERTIME_S)
                if time.monotonic() > enough:
                    return None
        if not going:
            return None


def _drain(log: int) -> Iterator[bytes | OSError | None]:
    """The kernel's records that are there, each without its dictionary; ``None`` where the ring was overrun, and at
    last the error that ends it.
    """
    while True:
        try:
            data = os.read(log, 8192)
        except BlockingIOError:
            return
        except BrokenPipeError:
            yield None
            continue
        except OSError as e:
            yield e
            return
        if not data:
            return
        for line in data.split(b"\n"):  # the lines of its dictionary begin with a space
            record = _RECORD.match(line)
            if record and int(record[1]) < _FACILITIES:
                yield line[: LINE_CAP + 128]


def _messages(records: Iterable[bytes]) -> Iterator[Message]:
    return parse(b"\n".join(records).decode("utf-8", "replace"))


def _beyond(summary: Mapping[str, Any]) -> Iterator[Seen]:
    """What was counted of a flood, as far as it can be so."""
    rows = summary.get("beyond")
    if not isinstance(rows, list) or not rows:
        return
    known = {family.name: family for family in families()}
    for row in rows:
        if not isinstance(row, list) or len(row) != 6 or not all(isinstance(row[at], str) for at in (0, 1, 5)):
            continue
        family, device, kinds, first_s, last_s, line = row
        told = kinds.items() if isinstance(kinds, dict) else ()
        counts = {kind: number for kind, number in told if isinstance(number, int) and 0 < number < _NUMBER}
        if family in known and counts:
            first, last = (Message(_number(at), line[:LINE_CAP]) for at in (first_s, last_s))
            yield Seen(known[family], device[:64], first, last, counts)


def _readings(seen: Seen, began: float | None, piece: Evidence) -> Iterator[Reading]:
    told = list(values(seen))
    if began is not None and seen.first.time_s is not None:
        told.append(("after", round(max(seen.first.time_s - began, 0.0), 2), "s"))
    for what, value, unit in told:
        name = f"kernel_log_watch.{seen.family.name}.{what}"
        yield Reading(name, value, unit, seen.family.component, seen.device, piece.source, piece.time)


def _number(value: Any) -> int | float | None:
    ours = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _NUMBER
    return value if ours else None
