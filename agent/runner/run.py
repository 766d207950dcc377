"""A self-check: from a plan to a journal, and what the journal says of it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.host import Host
from agent.journal import Journal, read
from agent.model.run_view import JOURNAL, RunView
from agent.plans import Plan, Symptom
from agent.probes import areas
from agent.runner.engine import Observer, probes_at_once
from agent.runner.recording import Asked, recorded
from agent.runner.scratch import scratch
from agent.runner.steps import RULES, earlier_step, exercise_steps, judging_step, probe_step, profile_step
from agent.tests_hw import Bout


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
        tests = sorted(self.plan.needed_tests)
        return [*(f"probe.{area}" for area in sorted(wanted)), *(f"test.{test}" for test in tests), RULES]

    @property
    def asked(self) -> Asked:
        """The same for the record."""
        return Asked(
            "selfcheck",
            self.plan.name,
            self.plan.version,
            tuple(self.needed),
            self.symptom.name if self.symptom else None,
            self.rma,
            self.language,
            self.command_line,
            self.unit,
        )


def run(
    request: Request, journal: Journal, host: Host, observers: Iterable[Observer] = (), *, state: Path | None = None
) -> RunView:
    """Walk the plan, write the journal, and give back what the journal says. ``state`` is the agent's state directory,
    with the profiles and the earlier runs that the unit is compared with; it is compared with none where that is
    ``None``.

    Raises :class:`agent.journal.JournalError` when the record cannot be written (what was written stays),
    ``KeyboardInterrupt`` when the person stops it, and what an observer raises.
    """
    with recorded(request.asked, journal, observers) as engine:
        steps = [probe_step(area, host) for area in request.plan.areas or areas()]
        if state is not None:
            steps += [profile_step(request.unit, state), earlier_step(request.unit, state, journal.directory.name)]
        results = engine.run(steps, probes_at_once())
        for name, seconds in request.plan.tests.items():
            with scratch(journal.directory) as folder:
                results += engine.run(exercise_steps([name], Bout(seconds, new_seed(), folder), host, beside=name))
        engine.run([judging_step(results)])
    return RunView.from_records(read(journal.directory / JOURNAL))


def new_seed() -> int:
    """A seed for a hardware test: 0 to 2^31 - 1, which every exerciser takes."""
    return secrets.randbelow(1 << 31)
