"""The steps that a run is made of: a probe, a hardware test, a watcher beside it, what the unit is compared with, the
rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent.host import Host
from agent.model import Component, Evidence, Finding, Gap, Outcome, Reading
from agent.model.inventory import inventory
from agent.probes import areas, load
from agent.probes._probe import Probe, Seen
from agent.runner.step import Step, StepResult
from agent.runner.worker import Gathered, Item, Send, TimeLimit

if TYPE_CHECKING:
    from agent.rules import Exercised, Rule
    from agent.tests_hw import Bout
    from agent.watch import Exercise

RULES = "rules"
PROFILE = "profile"
EARLIER = "earlier"
LONGEST_PROBE_S = 60.0
"""Seconds within which a probe must have said how long it may take; no probe may take longer (conformance test)."""
WATCH_SLACK_S = 10.0
"""Seconds that a watcher may take beyond the test before it is ended: it waits for processor time beside it; ours."""
COMPARED_TIMEOUT_S = 10.0
"""Seconds for finding a profile or an earlier run on the disk; it takes milliseconds, but the disk may be the suspect;
ours.
"""
RULES_TIMEOUT_S = 10.0
"""Seconds for all rules together; they are pure and take milliseconds, so this only ends one that hangs; ours."""


def probe_step(area: str, host: Host) -> Step:
    """Gather the evidence of one area, then interpret it. Raises ``KeyError`` for an unknown area.

    The probe is loaded in the step's own process: side by side with the others, and what breaks in it breaks there.
    """
    return _probe_step(area, lambda probe: host.by_helper.get(area) or probe.gather(host))


def parts_step(area: str, host: Host) -> Step:
    """Like :func:`probe_step`, but gathers only what names the parts."""
    return _probe_step(area, lambda probe: host.by_helper.get(area) or probe.gather_parts(host))


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


def exercise_steps(
    tests: Sequence[str], bout: Bout, host: Host, *, rest_s: float = 0.0, beside: str = ""
) -> list[Step]:
    """Exercise hardware by these tests, side by side, with all watchers beside them, which look before the first begins
    and after the last is over, and for ``rest_s`` seconds more than the bout should take. ``beside`` is the test that
    the watchers' steps are named after, where there is one for each.

    Raises ``KeyError`` for an unknown test. For one call of the engine, which must begin all of them at once.
    """
    from agent import watch  # here: `aiodiag unit` and `probe` watch nothing

    exercise = watch.Exercise(bout.seconds + rest_s)
    testing = [test_step(test, bout, host, exercise) for test in tests]
    longest_s = max([bout.seconds, *(step.timeout_s for step in testing)]) + rest_s
    return [*(watch_step(watcher, beside, longest_s, exercise, host) for watcher in watch.watchers()), *testing]


def test_step(name: str, bout: Bout, host: Host, exercise: Exercise) -> Step:
    """Exercise hardware, under the abort temperature. Raises ``KeyError`` for an unknown test."""
    from agent import tests_hw, watch
    from agent.watch._heat import hottest, too_hot

    test = tests_hw.load(name)
    bout = replace(bout, seconds=max(bout.seconds, test.least_s))
    exercise.exerciser()

    def work(send: Send) -> None:
        exercise.await_watchers()
        _evidence_first(test.exercise(host, bout), test.interpret, send)

    def salvage(evidence: Sequence[Evidence], send: Send) -> None:
        _send_all(test.interpret(evidence), send)

    return Step(
        f"test.{name}",
        work,
        watch.LOOKING_WITHIN_S + bout.seconds + test.slack_s,
        salvage,
        guard=lambda: too_hot(host.root),
        heat=lambda: hottest(host.root),
        over=exercise.ended,
        parameters={"seconds": bout.seconds, "seed": bout.seed},
    )


def watch_step(name: str, beside: str, longest_s: float, exercise: Exercise, host: Host) -> Step:
    """Watch an exercise, which takes ``longest_s`` seconds at most.

    Raises ``KeyError`` for an unknown watcher.
    """
    from agent import watch

    watcher, lookout = watch.load(name), exercise.lookout()

    def work(send: Send) -> None:
        try:
            _evidence_first(watcher.watch(host, lookout), watcher.interpret, send)
        finally:
            lookout.present()

    def salvage(evidence: Sequence[Evidence], send: Send) -> None:
        _send_all(watcher.interpret(evidence), send)

    step = f"watch.{beside}.{name}" if beside else f"watch.{name}"
    return Step(step, work, longest_s + WATCH_SLACK_S, salvage)


def profile_step(unit: Mapping[str, str], state: Path) -> Step:
    """Find what a unit of this model should have, in the state directory or among what the agent brings along."""
    from agent import profiles  # here: `aiodiag unit` and `probe` compare nothing

    def work(send: Send) -> None:
        _evidence_first(profiles.gather(profiles.Shelf(state), unit), profiles.interpret, send)

    def salvage(evidence: Sequence[Evidence], send: Send) -> None:
        _send_all(profiles.interpret(evidence), send)

    return Step(PROFILE, work, COMPARED_TIMEOUT_S, salvage)


def earlier_step(unit: Mapping[str, str], state: Path, run_id: str) -> Step:
    """Find what the newest run of this unit before ``run_id`` had counted, in the agent's state directory."""
    from agent import history

    def work(send: Send) -> None:
        _evidence_first(history.gather(state, unit, run_id), history.interpret, send)

    def salvage(evidence: Sequence[Evidence], send: Send) -> None:
        _send_all(history.interpret(evidence), send)

    return Step(EARLIER, work, COMPARED_TIMEOUT_S, salvage)


def _evidence_first(
    gathered: Iterable[Evidence | Gap], interpret: Callable[[Sequence[Evidence]], Iterable[Seen]], send: Send
) -> None:
    """All evidence is sent, and so kept, before any of it is interpreted. Raises ``TypeError`` for what the one or the
    other must not give: findings are the rules' own.
    """
    evidence: list[Evidence] = []
    for item in gathered:
        _require(item, Evidence, Gap)
        send(item)
        if isinstance(item, Evidence):
            evidence.append(item)
    send(Gathered())
    _send_all(interpret(evidence), send)


def _require(item: object, *kinds: type) -> None:
    if not isinstance(item, kinds):
        raise TypeError(f"a {type(item).__name__} instead of {', '.join(kind.__name__ for kind in kinds)}")


def _judge(rule: Rule, exercised: Exercised) -> Iterator[Finding]:
    """What a rule concludes; raises ``KeyError`` for a code that it is not registered for."""
    for finding in rule.judge(exercised.readings):
        if finding.code not in rule.codes:
            raise KeyError(finding.code)
        yield exercised.resting_on_what_was_read(finding)


def _send_all(items: Iterable[Item], send: Send) -> None:
    for item in items:
        _require(item, Component, Reading, Gap)
        send(item)


def judging_step(results: Iterable[StepResult]) -> Step:
    """The step that judges what other steps gave."""
    seen = list(results)
    return rules_step(
        [r for result in seen for r in result.readings], [c for result in seen for c in result.components]
    )


def rules_step(readings: Sequence[Reading], components: Sequence[Component] = ()) -> Step:
    """Judge the readings, and the parts as readings (:mod:`agent.model.inventory`), by every rule. Such a reading is
    recorded where a finding rests on it; the part itself is on record anyway.
    """

    def work(send: Send) -> None:
        from agent.rules import Exercised, rules

        parts = list(inventory(components, time=readings[0].time if readings else ""))
        known = Exercised([*readings, *parts])
        unsaid = {(part.name, part.subject) for part in parts}
        broken: list[Exception] = []
        for rule in rules():
            try:
                for finding in _judge(rule, known):
                    for reading in finding.evidence:
                        if (reading.name, reading.subject) in unsaid:
                            unsaid.remove((reading.name, reading.subject))
                            send(reading)
                    send(finding)
            except Exception as e:  # one broken rule must not silence the others; the step is an error all the same
                e.add_note(f"in rule {rule.name}")
                broken.append(e)
        if broken:
            raise ExceptionGroup("rules broke", broken)

    return Step(RULES, work, RULES_TIMEOUT_S, silence=Outcome.PASS)
