"""Verifying a repair on this unit: rounds of the recipe until it is believed, or until a fault shows."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from agent import __version__
from agent.compare.parts import built_in, matched
from agent.host import Host
from agent.journal import Journal, read
from agent.model import Component, Outcome, Text
from agent.model.run_view import JOURNAL, RunView
from agent.model.utc import utc_text
from agent.plans import Symptom, causes
from agent.probes import areas
from agent.profiles import Profile
from agent.replay.background import sound_chance
from agent.replay.marker import Population
from agent.replay.marking import Sound, sound_to_json
from agent.replay.recipe import Recipe
from agent.replay.round import Round
from agent.replay.verification import Standing, Verification
from agent.runner.baseline import Baseline
from agent.runner.engine import Observer
from agent.runner.recording import Asked, conclude, recorded
from agent.runner.replaying import EVERY_ROUND
from agent.runner.restarting import Restarter
from agent.runner.rounds import Player
from agent.runner.run import new_seed

REGRESSION = "regression"
"""What the names of the steps begin with that look at the whole unit once more; :mod:`agent.model.step_name`."""
VERIFICATION = "verification"
"""The step that says what came of it; the run has no verdict without."""
CERTIFICATE_SCHEMA = 1
_OUTCOMES = {
    Standing.VERIFIED: Outcome.PASS,
    Standing.STILL_FAULTY: Outcome.FAIL,
    Standing.OTHER_FAULT: Outcome.FAIL,
    Standing.NOT_RESTORED: Outcome.FAIL,
}
Told = Callable[[Round], None]
Certificate = dict[str, Any]


def verification(
    asked: Asked,
    journal: Journal,
    host: Host,
    state: Verification,
    *,
    tell: Told,
    observers: Iterable[Observer] = (),
    restarter: Restarter | None = None,
) -> Certificate:
    """A whole run: the unit as it is, then rounds until the verification is over. Raises like
    :func:`agent.runner.run.run`, and like :meth:`agent.runner.rounds.Player.play`. ``asked.parameters`` are as
    :func:`parameters` gives them.
    """
    with recorded(asked, journal, observers) as engine:
        baseline = Baseline.looked_at(engine, host)
        player = Player(engine, journal, host, asked.parameters["areas"], baseline, restarter=restarter)
        return verify(state, player, tell)


def parameters(state: Verification, symptom: Symptom | None) -> dict[str, Any]:
    """What a verification is told, for the record, with the whole recipe."""
    return {
        "areas": list(symptom.needed if symptom else EVERY_ROUND),
        "recipe": state.recipe.to_json(),
        "limit_h": state.limit_h,
        "alpha": state.alpha,
        "sound": sound_to_json(state.sound),
        "background": state.background,
    }


def sound_in(profile: Profile | None) -> Sound:
    """What a profile tells of sound units, where it knows enough of them that differ."""
    found = {}
    for marker in profile.markers if profile else ():
        with contextlib.suppress(ValueError):
            found[marker.key] = Population.of(list(marker.values))
    return found


def is_sound_too(recipe: Recipe) -> bool:
    """Whether sound units show the recipe's fault too, now and then."""
    return any(recipe.fault.code in cause.sound_too for cause in causes())


def background_in(profile: Profile | None, recipe: Recipe) -> float | None:
    """The chance of the recipe's fault in a round of sound units; ``None`` where they do not show it, or where the
    profile knows no such rounds.
    """
    for played in profile.rounds if profile and is_sound_too(recipe) else ():
        if played.exercise == recipe.work.name:
            shown = played.shown.get(recipe.fault.code, 0)
            return sound_chance(shown, played.rounds, played.hours, recipe.work.hours)
    return None


def verify(state: Verification, player: Player, tell: Told) -> Certificate:
    """Play rounds until the verification is over, and write down what came of it; ``tell`` hears of each round."""
    while state.standing is Standing.GOES_ON:
        # The first round repeats one that failed; the others must not depend on its luck.
        work = state.next()
        first = all(played.exercise != work.name for played in state.rounds)
        seed = state.recipe.seed if first and work == state.recipe.work else new_seed()
        played = player.play(work, seed)
        state.took(played)
        tell(played)
    if state.standing is Standing.VERIFIED:
        state.regressed = player.look(REGRESSION, areas()).new
    view = RunView.from_records(read(player.journal.directory / JOURNAL))
    document = certificate(state, view, player.journal.directory.name)
    outcome = _OUTCOMES.get(state.standing, Outcome.SKIPPED)
    conclude(player.journal, VERIFICATION, outcome, standing_text(state), document)
    return document


def certificate(state: Verification, view: RunView, run_id: str) -> Certificate:
    """What QC certifies, as strict JSON: which unit, which fault, what was run, and what may be said."""
    recipe, test = state.recipe, state.sequential
    return {
        "kind": "aiodiag-certificate",
        "schema": CERTIFICATE_SCHEMA,
        "made": utc_text(datetime.now(UTC)),
        "agent": __version__,
        "run_id": run_id,
        "unit": dict(view.unit),
        "rma": view.parameters.get("rma"),
        "recipe": {"run_id": recipe.run_id, "sha256": digest(recipe), "made": recipe.made},
        "fault": recipe.fault.to_json(),
        "reproduced": {"failures": recipe.observed.failures, "rounds": int(recipe.observed.exposure)},
        "work": recipe.work.to_json(),
        "least": recipe.least.to_json(),
        "verdict": state.standing.name.lower(),
        "confidence_asked": round(1.0 - state.alpha, 6),
        "confidence": round(1.0 - state.chance_if_unrepaired, 6),
        "rounds": len(state.rounds),
        "clean": state.clean,
        "needed": state.needed,
        "events": state.events,
        "sound_units_show_it": is_sound_too(recipe),
        "sequential": {"failing": test.failing, "sound": test.sound} if test else None,
        "hours": round(sum(played.hours for played in state.rounds), 4),
        "markers": [marking.to_json() for marking in state.markings],
        "restored": state.restored.value,
        "verified_by": [way for way, said in (("count", state.by_count), ("markers", state.by_markers)) if said],
        "faults": [signature.to_json() for signature in state.faults],
        "parts": exchanged(recipe.parts, view),
    }


def digest(recipe: Recipe) -> str:
    """By which a recipe is told from others: SHA-256 of its JSON with sorted keys."""
    return hashlib.sha256(json.dumps(recipe.to_json(), sort_keys=True).encode()).hexdigest()


def exchanged(before: tuple[Component, ...], view: RunView) -> dict[str, Any]:
    """Which of the unit's own parts are not those with which the fault was reproduced."""
    parts = matched(before, built_in(view))
    return {
        "exchanged": [{"old": old.to_json(), "new": new.to_json()} for old, new in parts.exchanged],
        "removed": [part.to_json() for part in parts.removed],
        "added": [part.to_json() for part in parts.added],
    }


def standing_text(state: Verification) -> Text:
    """What came of it, in one sentence."""
    values: Mapping[str, Any] = {
        "code": state.recipe.fault.code,
        "clean": state.clean,
        "needed": state.needed,
        "confidence": round(100 * (1 - state.chance_if_unrepaired), 1),
        "events": state.events,
        "rounds": state.events + state.clean,
        "other": ", ".join(signature.code for signature in state.faults),
    }
    return {
        Standing.GOES_ON: Text("{clean} of {needed} rounds without the fault", values),
        Standing.VERIFIED: _verified_text(state, values),
        Standing.STILL_FAULTY: Text("{code} came again: the fault is still there", values),
        Standing.NOT_RESTORED: Text(
            "{code} did not come in {clean} rounds, but what was measured with it is not restored", values
        ),
        Standing.OTHER_FAULT: Text("{code} did not come, but another fault did: {other}", values),
        Standing.NOT_REACHED: Text(
            "the conditions of the recipe were not reached: only {clean} of {needed} rounds count", values
        ),
        Standing.OUT_OF_TIME: Text("the time is over: only {clean} of {needed} rounds, {confidence} %", values),
    }[state.standing]


def _verified_text(state: Verification, values: Mapping[str, Any]) -> Text:
    if not state.by_count:
        return Text(
            "{code} did not come in {clean} rounds ({confidence} %), and what was measured with it is restored", values
        )
    if state.events:
        return Text(
            "{code} came in {events} of {rounds} rounds, as in sound units: gone with a confidence of {confidence} %",
            values,
        )
    return Text("{code} did not come in {clean} rounds: gone with a confidence of {confidence} %", values)
