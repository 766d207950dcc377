"""The steps that a plan is made of: a probe, a hardware test, the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from agent import tests_hw
from agent.model import Evidence, Gap, Outcome, Reading, Readings
from agent.probes import load
from agent.probes._host import Host
from agent.probes._probe import Seen
from agent.runner.step import Salvage, Step
from agent.runner.worker import Send, Work
from agent.watch.heat import too_hot

RULES = "rules"
RULES_TIMEOUT_S = 10.0
"""Seconds for all rules together; they are pure and take milliseconds, so this only ends one that hangs; ours."""


def probe_step(area: str, host: Host) -> Step:
    """Gather the evidence of one area, then interpret it. Raises ``KeyError`` for an unknown area."""
    probe = load(area)
    work, salvage = _evidence_first(lambda: probe.gather(host), probe.interpret)
    return Step(f"probe.{area}", work, probe.timeout_s, salvage)


def test_step(name: str, duration_s: float, host: Host) -> Step:
    """Exercise hardware for so many seconds, under the abort temperature. Raises ``KeyError`` for an unknown test."""
    test = tests_hw.load(name)
    seconds = max(duration_s, test.least_s)
    work, salvage = _evidence_first(lambda: test.exercise(host, seconds), test.interpret)
    return Step(f"test.{name}", work, seconds + test.slack_s, salvage, guard=too_hot)


def _evidence_first(
    gather: Callable[[], Iterable[Evidence | Gap]], interpret: Callable[[Sequence[Evidence]], Iterable[Seen]]
) -> tuple[Work, Salvage]:
    """All evidence is sent, and so kept, before any of it is interpreted."""

    def work(send: Send) -> None:
        evidence: list[Evidence] = []
        for item in gather():
            send(item)
            if isinstance(item, Evidence):
                evidence.append(item)
        salvage(evidence, send)

    def salvage(evidence: Sequence[Evidence], send: Send) -> None:
        for seen in interpret(evidence):
            send(seen)

    return work, salvage


def rules_step(readings: Sequence[Reading]) -> Step:
    """Judge the readings by every rule."""

    def work(send: Send) -> None:
        from agent.rules import rules

        known = Readings(readings)
        broken: list[Exception] = []
        for rule in rules():
            try:
                for finding in rule.judge(known):
                    send(finding)
            except Exception as e:  # one broken rule must not silence the others; the step is an error all the same
                e.add_note(f"in rule {rule.name}")
                broken.append(e)
        if broken:
            raise ExceptionGroup("rules broke", broken)

    return Step(RULES, work, RULES_TIMEOUT_S, silence=Outcome.PASS)
