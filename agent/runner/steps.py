"""The steps that a plan is made of: a probe, the rules."""

from __future__ import annotations

from collections.abc import Sequence

from agent.model import Evidence, Outcome, Reading, Readings
from agent.probes import load
from agent.probes._host import Host
from agent.runner.step import Step
from agent.runner.worker import Send

RULES = "rules"
RULES_TIMEOUT_S = 10.0
"""Seconds for all rules together; they are pure and take milliseconds, so this only ends one that hangs; ours."""


def probe_step(area: str, host: Host) -> Step:
    """Gather the evidence of one area, then interpret it. Raises ``KeyError`` for an unknown area."""
    probe = load(area)

    def work(send: Send) -> None:
        evidence: list[Evidence] = []
        for item in probe.gather(host):
            send(item)
            if isinstance(item, Evidence):
                evidence.append(item)
        salvage(evidence, send)

    def salvage(evidence: Sequence[Evidence], send: Send) -> None:
        for seen in probe.interpret(evidence):
            send(seen)

    return Step(f"probe.{area}", work, probe.timeout_s, salvage)


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
