"""Machine checks: errors that the processor found in itself, its caches, buses and memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from agent.host import Host, now
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text
from agent.probes._probe import Probe, Seen

_MACHINECHECK = "/sys/devices/system/machinecheck"
COUNTERS = ("/proc/interrupts",)
_FILES = (*COUNTERS, f"{_MACHINECHECK}/machinecheck*/check_interval", f"{_MACHINECHECK}/machinecheck0/bank*")
_DATABASE = "/var/lib/rasdaemon/ras-mc_event.db"
_NEWEST = {
    "mce_record": "SELECT * FROM mce_record ORDER BY id DESC LIMIT ?",
    "mc_event": "SELECT * FROM mc_event ORDER BY id DESC LIMIT ?",
}
_RASDAEMON = {"program": "rasdaemon"}
_ROWS = 1000
"""Newest rows kept of a table; a flood of corrected errors fills it with millions of the same. Ours."""

_INTERRUPTS = {
    "MCE": "mce.exceptions",
    "MCP": "mce.polls",
    "THR": "mce.threshold_interrupts",
    "DFR": "mce.deferred_interrupts",
}
_UNCORRECTED = 1 << 61
_PART = ComponentKind.CPU


class MceProbe(Probe):
    """Interrupt counters since the start (arch/x86/kernel/irq.c names them in ``/proc/interrupts``), the machine-check
    devices (Linux Documentation/ABI/testing/sysfs-mce), and what rasdaemon recorded over all starts (root).

    Readings: ``mce.exceptions`` (MCE), ``mce.polls`` (MCP), ``mce.threshold_interrupts`` (THR),
    ``mce.deferred_interrupts`` (DFR): the highest count of any processor, as an exception is often told to all of them;
    ``mce.banks`` (count), ``mce.check_interval`` (s; 0 is never); ``mce.records.corrected`` and ``.uncorrected``
    (count, by bit 61 UC of IA32_MCi_STATUS, Intel SDM 3B "Machine-Check Architecture"), each with ``.age`` (h, of the
    newest), and ``mce.records.message`` (rasdaemon's text of the newest one); ``mce.memory.corrected`` and
    ``.uncorrected`` (count, by the label of the module) from its EDAC events.

    The area needs the counters or the devices: a kernel without both (in most virtual machines) would not tell.
    """

    area = "mce"
    timeout_s = 8.0

    def gather(self, host: Host) -> Iterator[Evidence | Gap]:
        """Files, and the newest rows of rasdaemon's database."""
        yield host.tree(*_FILES)
        yield _gather_records(host)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        """Readings and gaps; evidence ``tree`` and ``rasdaemon``."""
        watched = False
        for piece in evidence:
            if piece.kind == "tree":
                for reading in (*_counters(piece), *_devices(piece)):
                    watched |= reading.name in ("mce.exceptions", "mce.check_interval")
                    yield reading
                if piece.truncated:
                    reason = Text("could not be read: {error}", {"error": "/proc/interrupts"})
                    yield Gap("interrupts", Outcome.ERROR, reason)
            elif piece.kind == "rasdaemon":
                yield from _records(piece)
        if not watched:
            yield Gap("", Outcome.UNSUPPORTED, Text("the kernel shows no such sensor"), essential=True)


PROBE = MceProbe()


def _gather_records(host: Host) -> Evidence | Gap:
    """The database is opened as immutable, which takes no lock: with a lock held rasdaemon would lose an event. A read
    that falls into a write fails then, which is a gap.
    """
    import sqlite3

    if not host.exists(_DATABASE):
        if host.exists("/usr/sbin/rasdaemon"):
            return Gap("records", Outcome.UNSUPPORTED, Text("{program} has recorded nothing yet", _RASDAEMON))
        reason = Text("{program} is not installed", _RASDAEMON)
        return Gap("records", Outcome.UNSUPPORTED, reason, remedy="sudo apt-get install rasdaemon")
    started = now()
    tables: dict[str, Any] = {}
    try:
        connection = sqlite3.connect(f"file:{host.root}{_DATABASE}?mode=ro&immutable=1", uri=True, timeout=1.0)
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        connection.row_factory = sqlite3.Row
        try:
            for table, newest in _NEWEST.items():
                known = connection.execute("SELECT 1 FROM sqlite_master WHERE type='table' AND name=?", (table,))
                if known.fetchone():
                    tables[table] = [dict(row) for row in connection.execute(newest, (_ROWS,))]
        finally:
            connection.close()
    except sqlite3.Error as e:
        if not host.is_root:
            return Gap("records", Outcome.UNSUPPORTED, Text("needs root"), remedy="sudo aiodiag probe mce")
        return Gap("records", Outcome.ERROR, Text("could not be read: {error}", {"error": str(e)}))
    data = json.dumps(tables, default=repr, separators=(",", ":")).encode()
    return Evidence("rasdaemon", "", data, _DATABASE, started)


def _counters(piece: Evidence) -> Iterator[Reading]:
    text = piece.tree().text("/proc/interrupts") or ""
    for name, numbers in re.findall(r"^ *(MCE|MCP|THR|DFR):((?: +[0-9]{1,18})+)", text, re.MULTILINE):
        count = max(int(number) for number in numbers.split())
        yield Reading(_INTERRUPTS[name], count, "count", _PART, "", "/proc/interrupts", piece.time)


def _devices(piece: Evidence) -> Iterator[Reading]:
    tree = piece.tree()
    banks = tree.paths(f"{_MACHINECHECK}/machinecheck0/bank*")
    if banks:
        yield Reading("mce.banks", len(banks), "count", _PART, "", f"{_MACHINECHECK}/machinecheck0", piece.time)
    for path in tree.paths(f"{_MACHINECHECK}/machinecheck*/check_interval")[:1]:
        seconds = _hexadecimal(tree.text(path))
        if seconds is not None:
            yield Reading("mce.check_interval", seconds, "s", _PART, "", path, piece.time)


def _hexadecimal(text: str | None) -> int | None:
    """Sysfs gives the interval in hexadecimal without saying so (sysfs-mce)."""
    return int(text, 16) if text is not None and re.fullmatch(r"[0-9a-f]{1,8}", text) else None


def _records(piece: Evidence) -> Iterator[Reading]:
    loaded = piece.json()
    tables = loaded if isinstance(loaded, dict) else {}
    checks = [(row, status) for row in _rows(tables, "mce_record") if (status := _integer(row, "status")) is not None]
    if "mce_record" in tables:
        for which, flag in (("corrected", 0), ("uncorrected", _UNCORRECTED)):
            rows = [row for row, status in checks if status & _UNCORRECTED == flag]
            name = f"mce.records.{which}"
            yield Reading(name, len(rows), "count", _PART, "", piece.source, piece.time)
            age = _age_h(rows, piece.time)
            if age is not None:
                yield Reading(f"{name}.age", age, "h", _PART, "", piece.source, piece.time)
    if checks:
        newest = checks[0][0]
        told = [str(newest.get(key) or "") for key in ("bank_name", "error_msg", "mcistatus_msg")]
        message = " ".join(" ".join(told).split())[:200]
        yield Reading("mce.records.message", message, "", _PART, "", piece.source, piece.time)
    yield from _memory_events(_rows(tables, "mc_event"), piece)


def _memory_events(rows: list[Mapping[str, Any]], piece: Evidence) -> Iterator[Reading]:
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        kind = {"Corrected": "corrected", "Uncorrected": "uncorrected", "Fatal": "uncorrected"}.get(
            str(row.get("err_type"))
        )
        if kind:
            label = " ".join(str(row.get("label") or "").split())[:64]
            counts[kind, label] = counts.get((kind, label), 0) + max(1, _integer(row, "err_count") or 1)
    for (kind, label), count in counts.items():
        part = ComponentKind.MEMORY_MODULE
        yield Reading(f"mce.memory.{kind}", count, "count", part, label, piece.source, piece.time)


def _rows(tables: Mapping[str, Any], table: str) -> list[Mapping[str, Any]]:
    rows = tables.get(table)
    found: list[Mapping[str, Any]] = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return found[:_ROWS]


def _integer(row: Mapping[str, Any], key: str) -> int | None:
    """SQLite's integers are signed: a status with its highest bit (valid) set is negative."""
    value = row.get(key)
    return value % 2**64 if isinstance(value, int) and not isinstance(value, bool) else None


def _age_h(rows: list[Mapping[str, Any]], time: str) -> float | None:
    """Hours from the newest row (``2024-05-06 07:08:09 +0000``) to the evidence; ``None`` where either is no time."""
    try:
        newest = max(datetime.strptime(str(row.get("timestamp")), "%Y-%m-%d %H:%M:%S %z") for row in rows)
        return round((datetime.fromisoformat(time) - newest).total_seconds() / 3600, 1)
    except (ValueError, TypeError, OverflowError):
        return None
