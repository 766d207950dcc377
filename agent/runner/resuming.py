"""Going on after a restart with a reproduction or verification that was under way.

That the unit went down in the middle of a round is what was looked for as often as not: the round failed, and what the
unit says of its last session is its signature. Where only the agent was ended the round counts for nothing.

Where the run itself had asked for the restart that is on record, and the round goes on: :mod:`agent.runner.returned`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.catalogue import entry
from agent.host import Host
from agent.journal import Journal, JournalDamaged, JournalError, Recovery, RunStore, read
from agent.model import Outcome, ocp
from agent.model.run_view import JOURNAL, RunView, StepView
from agent.model.step_name import plain, round_of
from agent.plans import symptom
from agent.probes import areas
from agent.replay.cycles import Cycles
from agent.replay.marking import sound_from_json
from agent.replay.recipe import Recipe, Work
from agent.replay.reproduction import ANY, Reproduction
from agent.replay.round import Conditions, Round, Signature
from agent.replay.verification import Verification
from agent.runner import scratch
from agent.runner.baseline import Baseline
from agent.runner.cycling import restart_again
from agent.runner.engine import Observer
from agent.runner.recording import boot_id, walked
from agent.runner.recovery import close_steps
from agent.runner.replaying import Told, reproduce, reproduction
from agent.runner.restarting import Restarter
from agent.runner.returned import AskedFor, came_back
from agent.runner.rounds import RESTART, Player, record
from agent.runner.steps import RULES
from agent.runner.verifying import Certificate, verify

WENT_DOWN = "DOWN-8715"
"""What is said of a unit that went down and does not tell why: it went off without being shut down."""
KINDS = ("replay", "verify", "restarts")


@dataclass(frozen=True, slots=True)
class Resumable:
    """An open run that can go on."""

    run: Path
    view: RunView

    @property
    def kind(self) -> str:
        """One of :data:`KINDS`."""
        return str(self.view.parameters["kind"])


def resumable(store: RunStore) -> Resumable | None:
    """The newest open run of those :data:`KINDS`."""
    for run_id in reversed(store.open_runs()):
        path = store.path(run_id)
        try:
            view = RunView.from_records(read(path / JOURNAL))
        except (JournalError, JournalDamaged, OSError):
            continue
        if view.parameters.get("kind") in KINDS:
            return Resumable(path, view)
    return None


@dataclass(frozen=True, slots=True)
class _CutOff:
    """A round that was cut off: what it was, how long it had lasted (hours, by the journal's times), and how warm the
    unit was at the last heartbeat (°C; ``None`` where there was none).
    """

    number: int
    exercise: str
    seed: int
    hours: float
    celsius: float | None

    @classmethod
    def of(cls, view: RunView, step: StepView) -> _CutOff:
        told = step.parameters
        lasted = datetime.fromisoformat(view.last) - datetime.fromisoformat(step.started)
        hours = max(0.0, lasted.total_seconds() / 3600.0)
        number = int(told["number"])
        beats = [s.heartbeat for name, s in view.steps.items() if round_of(name) == number and s.heartbeat]
        warm = [beat.temperature for beat in beats if beat.temperature is not None]
        return cls(number, str(told["exercise"]), int(told["seed"]), hours, max(warm, default=None))


@dataclass(slots=True)
class Resumed:
    """A run that goes on: its journal is open, and its steps that were open are closed. ``state`` is made of the rounds
    that were played before; ``cut_off`` is the round in which the unit went down, if it did in one; ``asked`` is the
    restart that it had been asked for, if it was.
    """

    journal: Journal
    view: RunView
    state: Reproduction | Verification | Cycles
    works: dict[str, Work]
    cut_off: _CutOff | None
    asked: AskedFor | None = None

    def walk(
        self, host: Host, tell: Told, observers: Iterable[Observer] = (), *, restarter: Restarter | None = None
    ) -> Recipe | Certificate | None:
        """Judge the round that was cut off, then go on until it is over, or until the unit restarts again
        (:class:`agent.runner.restarting.Restarting`).
        """
        with walked(self.journal, observers) as engine:
            numbers = [step.parameters["number"] for step in self.view.steps.values() if "number" in step.parameters]
            every, number = self.view.parameters["areas"], max(numbers, default=0) + 1
            looked = self.view.outcomes.get(RULES) is Outcome.PASS  # else it went down before there was a baseline
            baseline = Baseline.of(self.view) if looked else Baseline.looked_at(engine, host)
            searching = isinstance(self.state, Reproduction)
            player = Player(
                engine,
                self.journal,
                host,
                every,
                baseline,
                number,
                leaves_out=searching,
                restarter=restarter,
                restarts=sum(plain(step) == RESTART for step in self.view.steps),
            )
            if self.asked:
                work, attempt = self.works[self.asked.exercise], 1 + _times_resumed(self.view)
                played = came_back(player, self.asked, work, baseline.areas, attempt)
                self.state.took(played)
                tell(played)
            elif self.cut_off:
                played = _as_failed(player, self.cut_off, self.works[self.cut_off.exercise])
                self.state.took(played)
                tell(played)
            if isinstance(self.state, Verification):
                return verify(self.state, player, tell)
            if isinstance(self.state, Cycles):
                restart_again(self.state, player)
                return None
            return reproduce(self.state, self.works, player, tell)


def reopen(open_run: Resumable) -> Resumed:
    """Go on with it. Raises :class:`agent.journal.JournalError` where the journal cannot be written, and ``KeyError``,
    ``TypeError`` or ``ValueError`` where it does not say what to do.
    """
    journal, recovery = Journal.reopen(open_run.run)
    scratch.remove(open_run.run)  # what a test wrote that was cut off; the rounds to come may need none
    try:
        return _reopened(open_run.view, journal, recovery)
    except BaseException:
        journal.close()
        raise


def _reopened(view: RunView, journal: Journal, recovery: Recovery) -> Resumed:
    state, works = _state(view)
    for played in _rounds(view):
        state.took(played)
    here = boot_id()
    asked = _asked_for(view, recovery, here)
    close_steps(journal, recovery, (asked.step, f"{asked.number}.round") if asked else ())
    name = f"resume.{1 + _times_resumed(view)}"
    told = {"boot_id": here, "cut_off": list(recovery.open_steps)}
    journal.append(
        ocp.step_start(name, name),
        ocp.extension(name, "parameters", told),
        *ocp.step_end(name, Outcome.PASS, None, time.monotonic(), 0.0),
    )
    journal.sync()
    if asked:
        return Resumed(journal, view, state, works, None, asked)
    cut_off = [view.steps[step] for step in recovery.open_steps if step.endswith(".round")]
    went_down = bool(here) and here not in view.boots
    return Resumed(journal, view, state, works, _CutOff.of(view, cut_off[0]) if cut_off and went_down else None)


def _times_resumed(view: RunView) -> int:
    return sum(step.startswith("resume.") for step in view.steps)


def _asked_for(view: RunView, recovery: Recovery, here: str) -> AskedFor | None:
    """The restart that the run had asked for, where the unit is in another boot by now. It is open until the unit was
    looked at, so it is found as well where that look was cut off.
    """
    waiting = [view.steps[step] for step in recovery.open_steps if plain(step) == RESTART]
    asked = AskedFor.of(view, waiting[0]) if waiting else None
    return asked if asked and here and here != asked.boot else None


def _state(view: RunView) -> tuple[Reproduction | Verification | Cycles, dict[str, Work]]:
    told = view.parameters
    if told["kind"] == "restarts":
        work = Work.from_json(told["work"])
        return Cycles(int(told["times"])), {work.name: work}
    limit_h, alpha = float(told["limit_h"]), float(told["alpha"])
    if told["kind"] == "verify":
        recipe = Recipe.from_json(told["recipe"])
        works = {work.name: work for work in (recipe.work, recipe.soak) if work}
        sound, background = sound_from_json(told.get("sound", ())), told.get("background")
        return Verification(recipe, alpha, limit_h, sound=sound, background=background), works
    works = {work.name: work for work in map(Work.from_json, told["works"])}
    complaint = symptom(told["symptom"]) if told["symptom"] else None
    hints = [Signature.from_json(hint) for hint in told["hints"]]
    wanted = Conditions.from_json(told["wanted"]) if "wanted" in told else ANY
    how: dict[str, Any] = {"hints": hints, "given": bool(told["given"]), "wanted": wanted}
    return reproduction(complaint, works, limit_h=limit_h, alpha=alpha, **how), works


def _rounds(view: RunView) -> list[Round]:
    """The rounds that came to their end, in their order."""
    played = [Round.from_json(step.round) for step in view.steps.values() if step.round]
    return sorted(played, key=lambda one: one.number)


def _as_failed(player: Player, cut_off: _CutOff, work: Work) -> Round:
    """The round in which the unit went down, by what the unit says of it now, and by its last heartbeat before."""
    began = time.monotonic()
    name = f"{cut_off.number}.down"
    player.journal.append(ocp.step_start(name, name))
    player.journal.sync()
    looked = player.look(name, areas())
    # It may have gone down before the run too: then that it did is nothing new, and here it counts all the same.
    down = [Signature.of(finding) for finding in looked.findings if finding.code.startswith("DOWN-")]
    down = down or [Signature(WENT_DOWN, entry(WENT_DOWN).component, "")]
    hours = min(cut_off.hours, work.hours)
    exposed = {kind: amount * hours for kind, amount in work.gives.items()}
    signatures = tuple(dict.fromkeys([*down, *looked.new]))
    played = Round(
        cut_off.number, work.name, cut_off.seed, hours, exposed, Conditions(cut_off.celsius), signatures, whole=False
    )
    record(player.journal, name, played, time.monotonic() - began)
    return played
