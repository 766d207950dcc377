"""One round of an exercise on this unit: hardware tests with all watchers, then a look at what they left behind.

Its steps are named after the round (:mod:`agent.model.step_name`). ``3.rules`` judges what was measured meanwhile, on
top of what the probes had read before the first round, and ``3.left.rules`` what the probes read afterwards. One step,
``3.round``, is open all the while and holds what came of the round: when the unit goes down, it is the one that tells.

A round that restarts the unit is cut off on purpose. ``3.restart`` is open besides, and on the disk, before the restart
is asked for; what came of both is for the run that goes on (:mod:`agent.runner.returned`).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from agent.host import Host
from agent.journal import Journal, JournalError
from agent.model import Finding, Outcome, Readings, Text, ocp
from agent.model.marker import markers
from agent.replay.recipe import Work
from agent.replay.round import Conditions, Round, Signature, shown
from agent.runner.baseline import Baseline, hottest
from agent.runner.engine import Engine, probes_at_once
from agent.runner.freezes import restarted
from agent.runner.load import busy_share, processor_times
from agent.runner.recording import boot_id
from agent.runner.restarting import CLOCK, MOST, Restarter, Restarting, RestartRefused
from agent.runner.scratch import scratch
from agent.runner.step import Step, StepResult
from agent.runner.steps import exercise_steps, judging_step, probe_step, rules_step
from agent.tests_hw import Bout

WARM_K = 15.0
"""K above the first look at it by which a unit is warm; ours."""
WARM_C = 60.0
"""°C at which it is warm in any case; ours."""
RESTART = "restart"
_DONE = (Outcome.PASS, Outcome.FAIL)


class Look(NamedTuple):
    """``findings`` is what the unit says now, and ``new`` what of it it did not say before."""

    results: Sequence[StepResult]
    findings: Sequence[Finding]
    new: tuple[Signature, ...]


@dataclass(slots=True)
class Player:
    """Plays rounds in a run that is open. ``areas`` are probed after each; ``number`` is that of the next round.
    ``leaves_out`` says that a test for which the unit has no hardware is left out, and not missed: so it is where
    a fault is looked for, and not where one is to be found gone. ``restarter`` restarts the unit where the work says
    so; ``restarts`` is how often it did in this run.
    """

    engine: Engine
    journal: Journal
    host: Host
    areas: Sequence[str]
    baseline: Baseline
    number: int = 1
    leaves_out: bool = False
    restarter: Restarter | None = None
    restarts: int = 0
    left: dict[Signature, Finding] = field(init=False)
    """What the rounds so far have left behind."""
    unsupported: set[str] = field(default_factory=set)
    """Tests that this unit turned out to have no hardware for."""

    def __post_init__(self) -> None:
        self.left = dict(self.baseline.findings)

    def play(self, work: Work, seed: int) -> Round:
        """One round; its record is on the disk when this returns.

        Raises :class:`agent.runner.restarting.Restarting` where the unit goes down for it: the round is open then.
        Raises :class:`agent.runner.restarting.RestartRefused` where it should and must not, or did not.
        """
        number, self.number = self.number, self.number + 1
        name = f"{number}.round"
        told = {"number": number, "exercise": work.name, "seed": seed}
        self.journal.append(ocp.step_start(name, name), ocp.extension(name, "parameters", told))
        self.journal.sync()
        began = time.monotonic()
        try:
            if work.restarts:
                self._restart(number)
            played = self._play(number, work, seed)
        except Restarting:
            raise
        except RestartRefused as e:
            close(self.journal, name, Outcome.SKIPPED, e.reason, time.monotonic() - began)
            raise
        except BaseException:
            with contextlib.suppress(JournalError):
                close(self.journal, name, Outcome.SKIPPED, Text("stopped by the person"), time.monotonic() - began)
            raise
        record(self.journal, name, played, time.monotonic() - began)
        return played

    def _restart(self, number: int) -> NoReturn:
        """Restart the unit. It is on the disk by then that it was asked to, in which boot, and the how manieth time."""
        if self.restarter is None:
            raise RestartRefused(Text("nobody here may restart the unit"))
        if self.restarts >= MOST:
            raise RestartRefused(Text("the unit was restarted {count} times: that is enough", {"count": self.restarts}))
        refusal = self.restarter.refusal()
        if refusal:
            raise RestartRefused(refusal)
        self.restarter.announce()
        name, began = f"{number}.{RESTART}", time.monotonic()
        self.restarts += 1
        told = {
            "from_boot": boot_id(),
            "clock": self.host.tree(CLOCK).tree().integer(CLOCK),
            "restarts": self.restarts,
            "most": MOST,
        }
        self.journal.append(ocp.step_start(name, name), ocp.extension(name, "parameters", told))
        self.journal.settle()
        refusal = self.restarter.ask()
        if refusal is None:
            raise Restarting
        close(self.journal, name, Outcome.ERROR, refusal, time.monotonic() - began)
        raise RestartRefused(refusal)

    def _play(self, number: int, work: Work, seed: int) -> Round:
        began = time.monotonic()
        exercised, load = self._exercise(number, work, seed)
        hours = (time.monotonic() - began) / 3600.0
        seen = [reading for result in exercised for reading in result.readings]
        (judged,) = self.engine.run([named(f"{number}", rules_step([*self.baseline.readings, *seen]))])
        left = self.look(f"{number}.left").new
        conditions = Conditions(hottest(seen, "thermals_watch.peak"), load)
        showed = dict.fromkeys([*shown(judged.findings, self.baseline.findings), *left])
        tests = [result for result in exercised if ".test." in result.step]
        nothing = {r.step.rpartition(".")[2] for r in tests if r.outcome is Outcome.UNSUPPORTED}
        self.unsupported |= nothing
        asked = [r for r in tests if not (self.leaves_out and r.outcome is Outcome.UNSUPPORTED)]
        whole = bool(asked) and all(result.outcome in _DONE for result in [judged, *asked])
        exposed = {} if nothing.issuperset(work.tests) else self._exposed(work, hours, conditions)
        measured = tuple(markers(Readings(seen), work.name))
        return Round(number, work.name, seed, hours, exposed, conditions, tuple(showed), whole, measured)

    def look(self, name: str, areas: Sequence[str] | None = None) -> Look:
        """What the unit says now, of those areas, or of those that are always looked at."""
        looking = [named(name, probe_step(area, self.host)) for area in areas or self.areas]
        looked = self.engine.run(looking, probes_at_once())
        (judged,) = self.engine.run([named(name, judging_step(looked))])
        new = shown(judged.findings, self.left)
        self.left |= {Signature.of(finding): finding for finding in judged.findings}
        return Look(looked, judged.findings, new)

    def _exercise(self, number: int, work: Work, seed: int) -> tuple[list[StepResult], float | None]:
        results: list[StepResult] = []
        shares: list[float] = []
        for phase in range(1, work.times + 1):
            with scratch(self.journal.directory) as folder, restarted(self.journal, work.tests):
                bout = Bout(work.seconds, (seed + phase - 1) % (1 << 31), folder)
                steps = exercise_steps(work.tests, bout, self.host, rest_s=work.rest_s)
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
        return peak_c >= WARM_C or (self.baseline.rest_c is not None and peak_c >= self.baseline.rest_c + WARM_K)


def record(journal: Journal, name: str, played: Round, duration_s: float) -> None:
    """Write what came of a round, close its step, and bring both to the disk."""
    outcome = Outcome.FAIL if played.shown else Outcome.PASS if played.whole else Outcome.ERROR
    reason = None if outcome is not Outcome.ERROR else Text("not everything could be exercised")
    journal.append(ocp.extension(name, "round", played.to_json()))
    close(journal, name, outcome, reason, duration_s)


def close(journal: Journal, name: str, outcome: Outcome, reason: Text | None, duration_s: float) -> None:
    """Close a step, and bring it to the disk."""
    journal.append(*ocp.step_end(name, outcome, reason, time.monotonic(), duration_s))
    journal.sync()


def named(prefix: str, step: Step) -> Step:
    """The step as one of a round."""
    return step._replace(id=f"{prefix}.{step.id}")
