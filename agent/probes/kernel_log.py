"""What the kernel log of this boot says of hardware: messages that mean a fault, counted by family and device.

Readings, the subject being the device where the message names one: ``kernel_log.<family>.count`` (count), ``.first_s``
and ``.last_s`` (s since the start of the kernel), ``.first_at`` and ``.last_at`` (the wall clock as the log has it),
``.line`` (the first message as it is), ``.held_back`` (count, further messages that the kernel says it did not print);
where the same log tells, ``.drive`` (``sdb`` of ``ata3``), ``.model`` and ``.bus`` (``usb``) of what it is about.
``kernel_log.lines`` (count) is how much was looked at. Families and their wording: ``kernel_messages.toml``. Read by
``journalctl -k`` where a journal is kept (it goes back to the start), else from the ring buffer by ``dmesg``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from agent.host import Host
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text, Value
from agent.probes._kernel_lines import Message, parse
from agent.probes._kernel_messages import Seen as SeenMessages
from agent.probes._kernel_messages import survey
from agent.probes._probe import Probe, Seen
from agent.tools.gap import program_gap

LINES_CAP = 10_000
"""Lines of the journal that are read, the last ones; ours. A healthy boot logs some 1 500."""

TEXT_CAP = 300
PROGRAM_TIMEOUT_S = 10.0
JOURNALS = ("/run/log/journal/*/*.journal", "/var/log/journal/*/*.journal")
KINDS = ("kernel-log", "dmesg", "journal-kernel")


class KernelLogProbe(Probe):
    """The kernel's own complaints."""

    area: ClassVar[str] = "kernel_log"
    timeout_s: ClassVar[float] = 25.0
    programs: ClassVar[tuple[str, ...]] = ("journalctl", "dmesg")

    def gather(self, host: Host) -> Iterator[Evidence | Gap]:
        """One program; a second one only where the first shows nothing."""
        if any(host.glob(pattern) for pattern in JOURNALS):
            words = ("-k", "-b", "0", "-o", "short-monotonic", "--no-pager", "-q", "-n", str(LINES_CAP))
            journal = host.output("journal-kernel", "journalctl", *words, timeout_s=PROGRAM_TIMEOUT_S)
            yield journal
            if _is_log(journal):
                return
        yield host.output("dmesg", "dmesg", "--color=never", timeout_s=PROGRAM_TIMEOUT_S)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        """Readings ``kernel_log.*``."""
        logs = [item for item in evidence if item.kind in KINDS]
        readable = [item for item in logs if _is_log(item)]
        for item in readable:
            yield from _readings(item)
        if not readable:
            yield _unreadable(logs)


def _is_log(evidence: Evidence) -> bool:
    # A program that failed left its error message in place of a log; one that was stopped for its length, a log.
    whole = evidence.exit_status in (0, None) and evidence.problem is None
    return (whole or evidence.truncated) and bool(evidence.data.strip())


def _unreadable(logs: Sequence[Evidence]) -> Gap:
    if not logs:
        return Gap("", Outcome.UNSUPPORTED, Text("could not be read: {error}", {"error": "kernel log"}), essential=True)
    gaps = [program_gap(log, "", essential=True, as_root="sudo aiodiag probe kernel_log") for log in logs]
    # The right that is missing says more than the program that failed for want of it.
    return next((gap for gap in gaps if gap.remedy), gaps[-1])


def _readings(evidence: Evidence) -> Iterator[Reading]:
    lines = 0

    def counted() -> Iterator[Message]:
        nonlocal lines
        for message in parse(evidence.text()):
            lines += message.times
            yield message

    found = survey(counted())
    source, time = evidence.source, evidence.time
    yield Reading("kernel_log.lines", lines, "count", ComponentKind.MOTHERBOARD, "", source, time)
    for seen in found:
        for what, value, unit in values(seen):
            name = f"kernel_log.{seen.family.name}.{what}"
            yield Reading(name, value, unit, seen.family.component, seen.device, source, time)


def values(seen: SeenMessages) -> Iterator[tuple[str, Value, str]]:
    """What is said of one family and device: quantity, value and unit, as the module names them."""
    yield "count", seen.count, "count"
    for which, message in (("first", seen.first), ("last", seen.last)):
        if message.time_s is not None:
            yield f"{which}_s", message.time_s, "s"
        if message.at:
            yield f"{which}_at", _printable(message.at), ""
    yield "line", _printable(seen.first.text), ""
    if seen.held_back:
        yield "held_back", seen.held_back, "count"
    named = seen.named
    if named.drive and named.drive != seen.device:
        yield "drive", named.drive, ""
    if named.model:
        yield "model", _printable(named.model), ""
    if named.on_usb:
        yield "bus", "usb", ""


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text[:TEXT_CAP])


PROBE = KernelLogProbe()
