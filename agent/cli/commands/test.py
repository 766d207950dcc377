"""``aiodiag test``: exercise hardware and measure it, with all watchers beside it."""

from __future__ import annotations

import argparse
import time
from gettext import gettext as _
from typing import TYPE_CHECKING

from agent.cli import checking
from agent.cli.commands import Subparsers
from agent.cli.problem import Problem, explained
from agent.cli.sending import deliver
from agent.cli.settings import state_directory
from agent.cli.streams import teller
from agent.model import Text
from agent.model.verdict import exit_status

if TYPE_CHECKING:
    from pathlib import Path

    from agent.journal import Journal
    from agent.model.run_view import RunView
    from agent.runner.recording import Asked

LONGEST_S = 7 * 86400.0
"""Seconds of one test; ours."""


def register(subparsers: Subparsers, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    text = _("exercise hardware: one or more tests side by side, watched all the time")
    parser = subparsers.add_parser("test", parents=[common], help=text, description=text)
    parser.add_argument("names", metavar="NAME", nargs="+", help=_("a hardware test, for example memory"))
    parser.add_argument("--duration", metavar="SECONDS", help=_("how long (default: the least that means something)"))
    parser.add_argument("--seed", metavar="NUMBER", help=_("the seed of an earlier test, to do the same again"))
    checking.add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Test, seal, send. Exit status as for ``selfcheck``."""
    from agent import __version__
    from agent.cli.commands.selfcheck import tell_result
    from agent.cli.exercising import tell_disturbances
    from agent.journal import RunStore
    from agent.runner.recording import Asked
    from agent.runner.run import new_seed
    from agent.runner.testing import needed
    from uploader.submission import Desk

    began = time.monotonic()
    names = list(dict.fromkeys(args.names))
    _known(names)
    seconds = None if args.duration is None else number(args.duration, "--duration", 1.0, LONGEST_S)
    seed = new_seed() if args.seed is None else int(number(args.seed, "--seed", 0, (1 << 31) - 1))
    unit = checking.identified(args)
    asked = Asked(
        "test",
        "+".join(names),
        __version__,
        needed(names),
        None,
        args.rma,
        args.lang,
        args.command_line,
        unit,
        {"tests": names, "seconds": seconds, "seed": seed},
    )
    state = state_directory()
    desk, store = Desk(state, teller(args.lang)), RunStore(state)
    checking.close_earlier(store, args.lang)
    nonce = checking.announce(args, desk, unit["serial"]) if args.rma else None
    tell_disturbances(names, args.lang)
    with explained():
        run_id, journal = store.new()
        with journal:
            view = _walk(asked, journal, names, seconds, seed=seed, state=state)
    bundle, entry = checking.seal(args, desk, store.path(run_id), view, nonce)
    tell_result(args, view, run_id, time.monotonic() - began, bundle)
    if entry:
        deliver(desk, entry, args.lang)
    return exit_status(view.verdict)


def _known(names: list[str]) -> None:
    from agent.runner.testing import known_tests

    known = known_tests()
    for name in names:
        if name not in known:
            raise Problem(Text("unknown test {test}; there are: {known}", {"test": name, "known": ", ".join(known)}))


def _walk(
    asked: Asked, journal: Journal, names: list[str], seconds: float | None, *, seed: int, state: Path
) -> RunView:
    from agent.cli.progress import progress
    from agent.host import Host
    from agent.runner.testing import run_tests
    from agent.watch import watchers

    with progress(asked.language, len(names) + len(watchers()) + 2) as shown:
        return run_tests(asked, journal, Host(), names, seconds, seed=seed, observers=[shown], state=state)


def number(typed: str, option: str, low: float, high: float) -> float:
    """A number of an option; raises :class:`Problem` for one that is none, or out of range."""
    try:
        value = float(typed)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        values = {"option": option, "low": f"{low:g}", "high": f"{high:.15g}", "typed": typed[:64]}
        raise Problem(Text("{option} is a number from {low} to {high}, not {typed}", values))
    return value
