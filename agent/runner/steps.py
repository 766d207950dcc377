"""The steps that a plan is made of: a probe, a hardware test, a watcher beside it, the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from agent.host import Host
from agent.model import Evidence, Finding, Gap, Outcome, Reading, Readings
from agent.probes import areas, load
from agent.probes._probe import Probe, Seen
from agent.runner.step import Step
from agent.runner.worker import Gathered, Item, Send, TimeLimit

if TYPE_CHECKING:
    from agent.rules import Rule

RULES = "rules"
LONGEST_PROBE_S = 60.0
"""Seconds within which a probe must have said how long it may take; no probe may take longer (conformance test)."""
WATCH_SLACK_S = 10.0
"""Seconds that a watcher may take beyond the test before it is ended: it waits for processor time beside it; ours."""
RULES_TIMEOUT_S = 10.0
"""Seconds for all rules together; they are pure and take milliseconds, so this only ends one that hangs; ours."""


def probe_step(area: str, host: Host) -> Step:
    """Gather the evidence of one area, then interpret it. Raises ``KeyError`` for an unknown area.

    The probe is loaded in the step's own process: side by side with the others, and what breaks in it breaks there.
    """
    return _probe_step(area, lambda probe: probe.gather(host))


def parts_step(area: str, host: Host) -> Step:
    """Like :func:`probe_step`, but gathers only what names the parts."""
    return _probe_step(area, lambda probe: probe.gather_parts(host))


def _probe_step(area: str, gather: Callable[[Probe], Iterable[Evidence | Gap]]) -> Step:
    if area not in areas():
        raise KeyError(area)

    def work(send: Send) -> None:
        probe = load(area)
        send(TimeLimit(probe.timeout_s))
        _evidence_first(gather(probe), probe.interpret, send)

    def salvage(evidence: Sequence[Evidence], send: Send) -> None:
        _send_all(load(area).interpret(evidence), send)

    return Step(f"probe.{area}", work, LONGEST_PROBE_S, salvage)


def test_step(name: str, duration_s: float, host: Host) -> Step:
    """Exercise hardware for so many seconds, under the abort temperature. Raises ``KeyError`` for an unknown test."""
    from agent import tests_hw  # here: `aiodiag unit` and `probe` test nothing
    from agent.watch._heat import too_hot

    test = tests_hw.load(name)
    seconds = max(duration_s, test.least_s)

    def work(send: Send) -> None:
        _evidence_first(test.exercise(host, seconds), test.interpret, send)

    def salvage(evidence: Sequence[Evidence], send: Send) -> None:
        _send_all(test.interpret(evidence), send)

    return Step(f"test.{name}", work, seconds + test.slack_s, salvage, guard=lambda: too_hot(host.root))


def watch_step(name: str, test: str, duration_s: float, host: Host) -> Step:
    """Watch for so many seconds while a hardware test runs. Raises ``KeyError`` for an unknown watcher."""
    from agent import watch  # here: `aiodiag unit` and `probe` watch nothing

    watcher = watch.load(name)

    def work(send: Send) -> None:
        _evidence_first(watcher.watch(host, duration_s), watcher.interpret, send)

    def salvage(evidence: Sequence[Evidence], send: Send) -> None:
        _send_all(watcher.interpret(evidence), send)

    return Step(f"watch.{test}.{name}", work, duration_s + WATCH_SLACK_S, salvage)


def _evidence_first(
    gathered: Iterable[Evidence | Gap], interpret: Callable[[Sequence[Evidence]], Iterable[Seen]], send: Send
) -> None:
    """All evidence is sent, and so kept, before any of it is interpreted."""
    evidence: list[Evidence] = []
    for item in gathered:
        send(item)
        if isinstance(item, Evidence):
            evidence.append(item)
    send(Gathered())
    _send_all(interpret(evidence), send)


def _judge(rule: Rule, readings: Readings) -> Iterator[Finding]:
    """What a rule concludes; raises ``KeyError`` for a code that it is not registered for."""
    for finding in rule.judge(readings):
        if finding.code not in rule.codes:
            raise KeyError(finding.code)
        yield finding


def _send_all(items: Iterable[Item], send: Send) -> None:
    for item in items:
        send(item)


def rules_step(readings: Sequence[Reading]) -> Step:
    """Judge the readings by every rule."""

    def work(send: Send) -> None:
        from agent.rules import rules

        known = Readings(readings)
        broken: list[Exception] = []
        for rule in rules():
            try:
                _send_all(_judge(rule, known), send)
            except Exception as e:  # one broken rule must not silence the others; the step is an error all the same
                e.add_note(f"in rule {rule.name}")
                broken.append(e)
        if broken:
            raise ExceptionGroup("rules broke", broken)

    return Step(RULES, work, RULES_TIMEOUT_S, silence=Outcome.PASS)
