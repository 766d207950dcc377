"""One round of an exercise on this unit: hardware tests with all watchers, then a look at what they left behind.

Its steps are named after the round (``3.1.test.memory``, ``3.probe.kernel_log``, ``3.rules``). One step, ``3.round``,
is open all the while and holds what came of the round: when the unit goes down, it is the one that tells of it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.host import Host
from agent.journal import Journal, JournalError
from agent.model import Finding, Outcome, Text, ocp
from agent.replay.recipe import Work
from agent.replay.round import Conditions, Round, Signature, shown
from agent.runner.engine import Engine, probes_at_once
from agent.runner.load import busy_share, processor_times
from agent.runner.scratch import scratch
from agent.runner.step import Step, StepResult
from agent.runner.steps import judging_step, probe_step, test_step, watch_step
from agent.tests_hw import Bout
from agent.watch import watchers

WARM_K = 15.0
"""K above the first look at it by which a unit is warm; ours."""
WARM_C = 60.0
"""°C at which it is warm in any case; ours."""
PLAUSIBLE_C = 150.0
"""°C above which it is the sensor that is broken; as the abort temperature has it."""
_DONE = (Outcome.PASS, Outcome.FAIL)


@dataclass(slots=True)
class Player:
    """Plays rounds in a run that is open. ``areas`` are probed after each; ``before`` is what was found before the
    first one, ``rest_c`` how warm the unit was then (°C; ``None`` where it does not tell), ``number`` that of the next
    round.
    """

    engine: Engine
    journal: Journal
    host: Host
    areas: Sequence[str]
    before: dict[Signature, Finding]
    rest_c: float | None
    number: int = 1

    def play(self, work: Work, seed: int) -> Round:
        """One round; its record is on the disk when this returns."""
        number, self.number = self.number, self.number + 1
        name = f"{number}.round"
        told = {"number": number, "exercise": work.name, "seed": seed}
        self.journal.append(ocp.step_start(name, name), ocp.extension(name, "parameters", told))
        self.journal.sync()
        began = time.monotonic()
        try:
            played = self._play(number, work, seed)
        except BaseException:
            with contextlib.suppress(JournalError):
                _close(self.journal, name, Outcome.SKIPPED, Text("stopped by the person"), time.monotonic() - began)
            raise
        record(self.journal, name, played, time.monotonic() - began)
        return played

    def _play(self, number: int, work: Work, seed: int) -> Round:
        began = time.monotonic()
        exercised, load = self._exercise(number, work, seed)
        hours = (time.monotonic() - began) / 3600.0
        looking = [named(f"{number}", probe_step(area, self.host)) for area in self.areas]
        looked = self.engine.run(looking, probes_at_once())
        (judged,) = self.engine.run([named(f"{number}", judging_step([*exercised, *looked]))])
        conditions = Conditions(hottest(exercised, "thermals_watch.peak"), load)
        essential = [judged, *(result for result in exercised if ".test." in result.step)]
        showed = shown(judged.findings, self.before)
        self.before |= {Signature.of(finding): finding for finding in judged.findings}
        whole = all(result.outcome in _DONE for result in essential)
        return Round(number, work.name, seed, hours, self._exposed(work, hours, conditions), conditions, showed, whole)

    def _exercise(self, number: int, work: Work, seed: int) -> tuple[list[StepResult], float | None]:
        results: list[StepResult] = []
        shares: list[float] = []
        for phase in range(1, work.times + 1):
            with scratch(self.journal.directory) as folder:
                bout = Bout(work.seconds, (seed + phase - 1) % (1 << 31), folder)
                steps = [test_step(test, bout, self.host) for test in work.tests]
                whole_s = work.seconds + work.rest_s
                steps += [watch_step(watcher, "", whole_s, self.host) for watcher in watchers()]
                before = processor_times()
                results += self.engine.run([named(f"{number}.{phase}", step) for step in steps])
                share = busy_share(before, processor_times())
                shares += [share] if share is not None else []
        return results, round(sum(shares) / len(shares), 3) if shares else None

    def _exposed(self, work: Work, hours: float, conditions: Conditions) -> dict[str, float]:
        """What the work gives, per hour that it took; of what needs warmth, nothing where it did not get warm."""
        cold = conditions.peak_c is not None and not self._is_warm(conditions.peak_c)
        return {name: 0.0 if cold and name.endswith("warm") else amount * hours for name, amount in work.gives.items()}

    def _is_warm(self, peak_c: float) -> bool:
        return peak_c >= WARM_C or (self.rest_c is not None and peak_c >= self.rest_c + WARM_K)


def record(journal: Journal, name: str, played: Round, duration_s: float) -> None:
    """Write what came of a round, close its step, and bring both to the disk."""
    outcome = Outcome.FAIL if played.shown else Outcome.PASS if played.whole else Outcome.ERROR
    reason = None if outcome is not Outcome.ERROR else Text("not everything could be exercised")
    journal.append(ocp.extension(name, "round", played.to_json()))
    _close(journal, name, outcome, reason, duration_s)


def _close(journal: Journal, name: str, outcome: Outcome, reason: Text | None, duration_s: float) -> None:
    journal.append(
        ocp.step_outcome(name, outcome, reason, time.monotonic(), duration_s),
        ocp.step_end(name, outcome),
    )
    journal.sync()


def hottest(results: Iterable[StepResult], reading: str) -> float | None:
    """The highest plausible temperature (°C) among readings of that name; ``None`` where there is none."""
    values = [
        float(r.value)
        for result in results
        for r in result.readings
        if r.name == reading and r.unit == "°C" and isinstance(r.value, int | float) and r.value < PLAUSIBLE_C
    ]
    return max(values, default=None)


def named(prefix: str, step: Step) -> Step:
    """The step as one of a round."""
    return step._replace(id=f"{prefix}.{step.id}")
