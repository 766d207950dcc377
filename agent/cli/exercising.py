"""What ``replay``, ``verify`` and ``resume`` have in common: a run that takes hours, may outlive a restart, and ends
with a document beside its bundle.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.cli import checking
from agent.cli.commands.test import number
from agent.cli.plain import clean
from agent.cli.problem import INCOMPLETE, Problem, explained
from agent.cli.progress import live
from agent.cli.sending import deliver
from agent.cli.settings import state_directory
from agent.cli.streams import print_json, tell, teller
from agent.model import Text
from agent.texts import render

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from agent.diagnose.series import Curve
    from agent.host import Host
    from agent.journal import Journal
    from agent.model.run_view import RunView
    from agent.replay.cycles import Cycles
    from agent.replay.recipe import Recipe
    from agent.replay.reproduction import Reproduction
    from agent.replay.round import Round
    from agent.replay.verification import Verification
    from agent.runner.engine import Observer
    from agent.runner.restarting import Restarter
    from agent.runner.resuming import Resumable
    from uploader.submission import Desk

RECIPE_CAP = 4 << 20
"""Bytes of a recipe; ours, a thousand times what one takes."""
_MARKER = "resume"
"""A file in the state directory that is there while a run is under way which a restart must not end: the service that
goes on with it looks for it (packaging/aiodiag-resume.service).
"""


@dataclass(slots=True)
class UnderWay:
    """A run while it is walked. ``view`` is what its record says, once it is over."""

    run: Path
    journal: Journal
    host: Host
    desk: Desk
    nonce: str | None
    language: str
    observers: Sequence[Observer] = ()
    began: float = field(default_factory=time.monotonic)
    view: RunView | None = None

    def teller(self, state: Reproduction | Verification | Cycles) -> Callable[[Round], None]:
        """Tells of each round on standard error."""

        def told(played: Round) -> None:
            say(_round_text(played), self.language)
            standing = _standing_text(state)
            if standing:
                say(standing, self.language)

        return told

    @property
    def restarter(self) -> Restarter:
        """What restarts the unit where a plan says so; it announces that on standard error."""
        return restarter(self.language)

    def finish(self) -> None:
        """Read back what was recorded."""
        from agent.journal import read
        from agent.model.run_view import JOURNAL, RunView

        self.view = RunView.from_records(read(self.run / JOURNAL))


@contextmanager
def run(args: argparse.Namespace, unit: dict[str, str]) -> Iterator[UnderWay]:
    """A new run. What an earlier agent left open is closed before; a restart goes on with this one."""
    from agent.host import Host
    from agent.journal import RunStore
    from uploader.submission import Desk

    state = state_directory()
    desk, store = Desk(state, teller(args.lang)), RunStore(state)
    checking.close_earlier(store, args.lang)
    nonce = checking.announce(args, desk, unit["serial"]) if args.rma else None
    with explained():
        run_id, journal = store.new()
        with journal, _remembered(run_id), live(args.lang) as shown:
            seen = [shown] if shown else []
            yield UnderWay(store.path(run_id), journal, Host(), desk, nonce, args.lang, seen)


@contextmanager
def going_on(args: argparse.Namespace, waiting: Resumable, journal: Journal) -> Iterator[UnderWay]:
    """A run that was under way before a restart; its ``journal`` is open again."""
    from agent.host import Host
    from uploader.submission import Desk

    with explained(), journal, _remembered(waiting.run.name), live(args.lang) as shown:
        seen = [shown] if shown else []
        yield UnderWay(waiting.run, journal, Host(), Desk(state_directory(), teller(args.lang)), None, args.lang, seen)


def restarter(language: str) -> Restarter:
    """What restarts this unit."""
    from agent.host import Host
    from agent.runner.restarting import Restarter

    return Restarter(Host(), state_directory(), lambda text: say(text, language))


def require_restarts(language: str) -> None:
    """Raises :class:`Problem` where the unit must not be restarted."""
    refusal = restarter(language).refusal()
    if refusal is not None:
        values = {"reason": render(refusal, language)}
        raise Problem(Text("the unit is not restarted: {reason}", values), INCOMPLETE)


def forget() -> None:
    """Nothing is under way any more."""
    with suppress(OSError):
        (state_directory() / _MARKER).unlink()


def say(text: Text, language: str) -> None:
    """One line of progress on standard error; where nobody can read it, nobody is told."""
    with suppress(OSError):
        print(clean(" ".join(render(text, language).split())), file=sys.stderr, flush=True)


def tell_disturbances(names: Iterable[str], language: str) -> None:
    """What a person at the unit will notice of these hardware tests."""
    from agent.runner.testing import disturbances

    for noticed in disturbances(names):
        say(Text("meanwhile: {what}", {"what": render(noticed, language)}), language)


def alpha_of(confidence: str) -> float:
    """The chance of error that a confidence leaves. Raises :class:`Problem` for what is none."""
    return 1.0 - number(confidence, "--confidence", 0.5, 0.9999)


def recipe_in(path: str) -> Recipe:
    """The recipe in a file. Raises :class:`Problem` for what is none."""
    from agent.replay.recipe import Recipe
    from uploader import strict_json

    try:
        with open(path, "rb") as file:
            return Recipe.from_json(strict_json.loads(file.read(RECIPE_CAP + 1), max_size=RECIPE_CAP, max_depth=8))
    except OSError as e:
        values = {"error": e.strerror or str(e), "file": path}
        raise Problem(Text("the system refused: {error} {file}", values)) from e
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as e:
        raise Problem(Text("{path} is no recipe: {error}", {"path": path, "error": str(e)[:200]})) from e


def compare_units(recipe: Recipe, unit: dict[str, str], language: str) -> None:
    """Say where the recipe is of another unit: a mainboard may have been exchanged, or a wrong unit is on the bench."""
    theirs, ours = recipe.unit.get("serial", ""), unit.get("serial", "")
    if theirs != ours:
        values = {"recipe": theirs or "?", "unit": ours or "?"}
        tell(Text("the recipe is of the unit {recipe}, and this is {unit}", values), language)


def tell_reproduction(args: argparse.Namespace, under_way: UnderWay, state: Reproduction, recipe: Recipe | None) -> int:
    """Print what came of it, seal and send it. Gives the exit status."""
    from agent.replay.rate import rate
    from agent.runner.replaying import ending_text

    document = recipe.to_json() if recipe else None
    path = _written(under_way, "recipes", "recipe.json", document) if document else None
    observed = state.observed
    found = rate(observed) if observed else None
    about: dict[str, Any] = {
        "ending": state.ending.value,
        "fault": state.fault.to_json() if state.fault else None,
        "cause": state.cause(),
        "exercise": state.exercise,
        "rounds": len(state.rounds),
        "hours": round(state.hours, 4),
        "observed": {"failures": observed.failures, "rounds": int(observed.exposure)} if observed else None,
        "rate_per_round": {"value": found.value, "low": found.low, "high": found.high} if found else None,
        "clean_rounds_needed": recipe.clean_needed(alpha_of(getattr(args, "confidence", "0.95"))) if recipe else None,
        "recipe": str(path) if path else None,
    }
    lines = [ending_text(state)]
    if path:
        lines.append(Text("The recipe is {path}", {"path": str(path)}))
        lines.append(Text("Verify the repair with: aiodiag verify --recipe {path}", {"path": str(path)}))
    _tell(args, under_way, "replay", about, lines)
    return 1 if recipe else 3


def tell_verification(
    args: argparse.Namespace, under_way: UnderWay, state: Verification, certificate: dict[str, Any]
) -> int:
    """Print what came of it, write the certificate (JSON, signed, and as a page to print), seal and send the run. Gives
    the exit status.
    """
    from agent.cli.certificate import page, signed
    from agent.replay.verification import Standing
    from agent.runner.verifying import standing_text

    path = _written(under_way, "certificates", "certificate.json", certificate)
    with explained():
        key = under_way.desk.key(certificate["unit"].get("serial", ""))
        _kept(path.with_suffix(".dsse.json"), signed(certificate, key))
    _kept(path.with_suffix(".html"), page(certificate, args.lang, _curves(under_way.run)).encode())
    about = {**certificate, "certificate": str(path), "page": str(path.with_suffix(".html"))}
    lines = [standing_text(state), Text("The certificate is {path}", {"path": str(path.with_suffix(".html"))})]
    _tell(args, under_way, "verification", about, lines)
    if state.standing is Standing.VERIFIED:
        return 0
    wrong = (Standing.STILL_FAULTY, Standing.OTHER_FAULT, Standing.NOT_RESTORED)
    return 1 if state.standing in wrong else 3


def _curves(run: Path) -> list[Curve]:
    """How the sensors went; of a record that cannot be read, nothing: the certificate is no worse without."""
    from agent.diagnose.files import InputRefused
    from agent.diagnose.series import curves_of_run

    with suppress(InputRefused):
        return curves_of_run(run)
    return []


def tell_cycles(args: argparse.Namespace, under_way: UnderWay, state: Cycles) -> int:
    """Print what came of it, seal and send it. Gives the exit status."""
    from agent.replay.rate import rate
    from agent.runner.cycling import cycles_text

    found = rate(state.observed) if state.observed else None
    about: dict[str, Any] = {
        "times": state.times,
        "counted": state.counted,
        "failed": state.failed,
        "faults": [signature.to_json() for signature in state.faults],
        "rate": {"value": found.value, "low": found.low, "high": found.high} if found else None,
    }
    _tell(args, under_way, "restarts", about, [cycles_text(state)])
    return 1 if state.failed else 0 if state.counted >= state.times else 3


def _tell(args: argparse.Namespace, under_way: UnderWay, name: str, about: dict[str, Any], lines: list[Text]) -> None:
    view = under_way.view
    assert view is not None
    bundle, entry = checking.seal(args, under_way.desk, under_way.run, view, under_way.nonce)
    if args.json:
        from agent.runner.summary import summary

        took = time.monotonic() - under_way.began
        whole = summary(view, run_id=under_way.run.name, language=args.lang, duration_s=took, bundle=str(bundle))
        print_json({**whole, name: about})
    else:
        from agent.cli.tables import Paper, print_finding

        paper = Paper(args.lang)
        for found in view.findings:
            print_finding(paper, found)
        for line in [*lines, Text("Sealed as {path}", {"path": str(bundle)})]:
            print(clean(render(line, args.lang)))
    if entry:
        deliver(under_way.desk, entry, args.lang)


@contextmanager
def _remembered(run_id: str) -> Iterator[None]:
    """A restart goes on with this run as long as it is neither over nor stopped."""
    from agent import durable
    from agent.runner.restarting import Restarting

    durable.replace(state_directory() / _MARKER, run_id.encode())
    try:
        yield
    except Restarting:
        raise  # the service must find it
    except BaseException:
        forget()
        raise
    forget()


def _written(under_way: UnderWay, folder: str, ending: str, document: dict[str, Any]) -> Path:
    import json

    path = state_directory() / folder / f"{under_way.run.name}.{ending}"
    _kept(path, json.dumps(document, ensure_ascii=False, indent=1).encode())
    return path


def _kept(path: Path, data: bytes) -> None:
    from agent import durable

    path.parent.mkdir(mode=0o700, exist_ok=True)
    durable.replace(path, data)


def _round_text(played: Round) -> Text:
    values: dict[str, str | int | float] = {
        "number": played.number,
        "exercise": played.exercise,
        "minutes": round(played.hours * 60.0, 1),
        "peak": "–" if played.conditions.peak_c is None else round(played.conditions.peak_c, 1),
        "load": "–" if played.conditions.load is None else round(100 * played.conditions.load),
        "shown": ", ".join(signature.code for signature in played.shown),
    }
    if played.shown:
        return Text("round {number} ({exercise}, {minutes} min, {peak} °C, load {load} %): {shown}", values)
    if not played.whole:
        return Text("round {number} ({exercise}): not everything could be exercised", values)
    return Text("round {number} ({exercise}, {minutes} min, {peak} °C, load {load} %): nothing showed", values)


def _standing_text(state: Reproduction | Verification | Cycles) -> Text | None:
    from agent.replay.cycles import Cycles
    from agent.replay.verification import Standing, Verification
    from agent.runner.verifying import standing_text

    if isinstance(state, Verification):
        left = {"clean": state.clean, "needed": state.needed, "hours": round(state.hours_left, 2)}
        return (
            Text("{clean} of {needed} rounds, {hours} h left", left)
            if state.standing is Standing.GOES_ON
            else standing_text(state)
        )
    if isinstance(state, Cycles):
        return Text("{counted} of {times} restarts", {"counted": state.counted, "times": state.times})
    return None
