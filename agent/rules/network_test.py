"""What the wired links did under traffic. Wi-Fi is measured only: what it loses depends on the room and the router."""

from __future__ import annotations

from collections.abc import Iterator

from agent.catalogue import entry
from agent.model import ComponentKind, Finding, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

LOST = "NET-7443"
SLOWER = "NET-7456"
UNANSWERED = "NET-7462"


@rule(LOST)
def link_lost(readings: Readings) -> Iterator[Finding]:
    """The link by cable was lost while it was used. Somebody may have pulled the cable, or the router been started
    again, so this is no verdict. Confidence 0.4 (ours): cable, socket or the router's port are as likely as the unit.
    """
    for down in readings.all("network_test.down"):
        times = readings.number(down.name, down.subject)
        if down.component is ComponentKind.ETHERNET and times is not None and times >= entry(LOST).limit("drops"):
            yield finding(LOST, down.subject, Verdict.UNKNOWN, 0.4, (down,), drops=int(times))


@rule(SLOWER)
def link_slower(readings: Readings) -> Iterator[Finding]:
    """The link by cable was negotiated anew at a lower speed: network chips do so when a pair of wires fails. Cable,
    socket or the router's port may be at fault as well as the unit. Confidence 0.4 (ours).
    """
    for lowest in readings.all("network_test.speed_lowest"):
        before = readings.get("network_test.speed", lowest.subject)
        first, least = (
            readings.number("network_test.speed", lowest.subject),
            readings.number(lowest.name, lowest.subject),
        )
        if before is None or first is None or least is None or lowest.component is not ComponentKind.ETHERNET:
            continue
        if least < first:
            values = {"before": round(first / 1e6), "lowest": round(least / 1e6)}
            yield finding(SLOWER, lowest.subject, Verdict.UNKNOWN, 0.4, (before, lowest), **values)


@rule(UNANSWERED)
def unanswered(readings: Readings) -> Iterator[Finding]:
    """Of the questions that went to the router by cable too many had no answer, while the link stayed up. The router
    may be too busy, or answer only so many, so this is no verdict. Confidence 0.3 (ours).
    """
    limit = entry(UNANSWERED).limit
    for lost in readings.all("network_test.lost"):
        sent, down = (readings.get(f"network_test.{name}", lost.subject) for name in ("sent", "down"))
        missing, asked = readings.number(lost.name, lost.subject), readings.number("network_test.sent", lost.subject)
        if lost.component is not ComponentKind.ETHERNET or sent is None or missing is None or asked is None:
            continue
        if down is not None and down.value != 0:
            continue
        if missing >= limit("lost") and missing > limit("share") * asked:
            evidence = (lost, sent, down) if down is not None else (lost, sent)
            yield finding(UNANSWERED, lost.subject, Verdict.UNKNOWN, 0.3, evidence, lost=int(missing), sent=int(asked))
