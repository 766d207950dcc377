"""A whole run: from a plan to a journal, and what the journal says of it."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent import __version__
from agent.host import Host
from agent.journal import Journal, JournalError, read
from agent.model import Finding, Outcome, RunVerdict, ocp
from agent.model.run_view import JOURNAL, RunView
from agent.model.verdict import judge
from agent.plans import Plan, Symptom
from agent.probes import areas
from agent.runner.engine import Engine, Observer, probes_at_once
from agent.runner.recorder import Recorder
from agent.runner.scratch import scratch
from agent.runner.steps import RULES, earlier_step, judging_step, probe_step, profile_step, test_step, watch_step
from agent.tests_hw import Bout
from agent.watch import watchers


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants to know. ``unit`` is the identity as :func:`agent.runner.identity.identify` gives it."""

    plan: Plan
    symptom: Symptom | None
    rma: str | None
    language: str
    command_line: str
    unit: Mapping[str, str]

    @property
    def needed(self) -> list[str]:
        """The steps without which there is no verdict, sorted."""
        wanted = set(self.plan.needed) | set(self.symptom.needed if self.symptom else ())
        return [*(f"probe.{area}" for area in sorted(wanted)), RULES]


def run(
    request: Request, journal: Journal, host: Host, observers: Iterable[Observer] = (), *, state: Path | None = None
) -> RunView:
    """Walk the plan, write the journal, and give back what the journal says. ``state`` is the agent's state directory,
    with the profiles and the earlier runs that the unit is compared with; it is compared with none where that is
    ``None``.

    Raises :class:`agent.journal.JournalError` when the record cannot be written (what was written stays),
    ``KeyboardInterrupt`` when the person stops it, and what an observer raises; the journal is then closed as not
    complete, where its steps' ends and its own can still be written.
    """
    journal.append(_start(request))
    recorder = Recorder(journal)
    engine = Engine([recorder, *observers])
    try:
        chosen = request.plan.areas or areas()
        steps = [probe_step(area, host) for area in chosen]
        if state is not None:
            steps += [profile_step(request.unit, state), earlier_step(request.unit, state, journal.directory.name)]
        results = engine.run(steps, probes_at_once())
        if request.plan.tests:
            with scratch(journal.directory) as folder:
                for name, seconds in request.plan.tests.items():
                    bout = Bout(seconds, new_seed(), folder)
                    watching = [watch_step(watcher, name, seconds, host) for watcher in watchers()]
                    results += engine.run([test_step(name, bout, host), *watching])
        engine.run([judging_step(results)])
    except BaseException:
        if not recorder.steps_open:  # else the next check closes them, and the run after them
            with contextlib.suppress(JournalError):
                _end(request, journal, engine, complete=False)
        raise
    _end(request, journal, engine, complete=True)
    return RunView.from_records(read(journal.directory / JOURNAL))


def _start(request: Request) -> ocp.Artifact:
    parameters = {
        "plan": request.plan.name,
        "symptom": request.symptom.name if request.symptom else None,
        "rma": request.rma,
        "language": request.language,
        "needed": request.needed,
    }
    metadata = {
        "boot_id": boot_id(),
        "monotonic_s": round(time.monotonic(), 3),
        "boottime_s": round(time.clock_gettime(time.CLOCK_BOOTTIME), 3),
        "plan_version": request.plan.version,
    }
    return ocp.run_start(
        version=__version__,
        command_line=request.command_line,
        parameters=parameters,
        unit=request.unit,
        components=[],
        metadata=metadata,
    )


def _end(request: Request, journal: Journal, engine: Engine, *, complete: bool) -> None:
    outcomes: dict[str, Outcome | None] = {step: result.outcome for step, result in engine.results.items()}
    findings: list[Finding] = [f for result in engine.results.values() for f in result.findings]
    verdict: RunVerdict = judge(request.needed, outcomes, findings)
    journal.settle()  # so that a run that has its end on disk has all its evidence there too
    journal.append(ocp.run_end(verdict, complete=complete))
    journal.sync()


def new_seed() -> int:
    """A seed for a hardware test: 0 to 2^31 - 1, which every exerciser takes."""
    return secrets.randbelow(1 << 31)


def boot_id() -> str:
    """The kernel's id of this boot; ``""`` where it tells none."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
