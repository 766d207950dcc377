"""``aiodiag selfcheck``: check this unit, seal what was found, and attach it to the RMA case."""

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
from agent.cli.streams import print_json, tell, teller
from agent.model import Text
from agent.model.verdict import exit_status
from agent.texts import render

if TYPE_CHECKING:
    from pathlib import Path

    from agent.host import Host
    from agent.journal import Journal
    from agent.model.run_view import RunView
    from agent.plans import Plan
    from agent.runner.run import Request
    from uploader.outbox import Entry


def register(subparsers: Subparsers, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    text = _("check this unit; with an RMA number, send the result to its case")
    parser = subparsers.add_parser("selfcheck", parents=[common], help=text, description=text)
    parser.add_argument("--symptom", metavar="SYMPTOM", help=_("what is wrong, for example restarts or no-picture"))
    parser.add_argument(
        "--plan", metavar="PLAN", default="quick", help=_("how thorough: quick or extended (default: quick)")
    )
    checking.add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check, seal, send. Exit status 0 nothing wrong found, 1 a fault was found, 3 could not be judged; a bundle that
    could not be sent stays in the outbox and does not change it. Where no bundle can be made (full disk), the person is
    told what was found all the same, and the status is 3.
    """
    from agent.journal import RunStore
    from uploader.submission import Desk

    began = time.monotonic()
    request, host = _request(args)
    state = state_directory()
    desk, store = Desk(state, teller(args.lang)), RunStore(state)
    checking.close_earlier(store, args.lang)
    nonce = checking.announce(args, desk, request.unit["serial"]) if request.rma else None
    announce_length(request.plan, args.lang)
    with explained():
        run_id, journal = store.new()
        with journal:
            view = _walk(request, journal, host, state)
    bundle: Path | None = None
    entry: Entry | None = None
    try:
        bundle, entry = checking.seal(args, desk, store.path(run_id), view, nonce)
    except Problem:
        tell_result(args, view, run_id, time.monotonic() - began, bundle)
        raise
    tell_result(args, view, run_id, time.monotonic() - began, bundle)
    if entry and not deliver(desk, entry, args.lang):
        ways = Text("without internet: aiodiag bundle qr (for a phone) or aiodiag bundle encrypt (for a stick)")
        tell(ways, args.lang)
    return exit_status(view.verdict)


def tell_result(args: argparse.Namespace, view: RunView, run_id: str, duration_s: float, bundle: Path | None) -> None:
    """Print what was found, and where it is sealed."""
    if args.json:
        from agent.runner.summary import summary

        path = str(bundle) if bundle else None
        document = summary(view, run_id=run_id, language=args.lang, duration_s=duration_s, bundle=path)
        print_json(document)
        return
    from agent.cli.tables import print_run

    print_run(view, args.lang)
    if bundle:
        print(render(Text("Sealed as {path}", {"path": str(bundle)}), args.lang))


def _request(args: argparse.Namespace) -> tuple[Request, Host]:
    """What is asked for, and the machine; every word is checked before anything is started or a password asked for."""
    from agent.cli.rights import machine
    from agent.probes import areas
    from agent.runner.run import Request

    plan, symptom = _plan(args.plan), checking.symptom_named(args.symptom)
    checking.require_case(args)
    host = machine(plan.areas or areas(), args.lang)
    unit = checking.identified_on(host, args)
    return Request(plan, symptom, args.rma, args.lang, args.command_line, unit), host


def _plan(name: str) -> Plan:
    from agent.plans import plan, plans

    if name not in plans():
        raise Problem(Text("unknown plan {plan}; there are: {known}", {"plan": name, "known": ", ".join(plans())}))
    return plan(name)


def announce_length(plan: Plan, language: str) -> None:
    """A person whose unit will be busy for a minute or longer is told so, and what they will notice of it."""
    from agent.cli.exercising import say, tell_disturbances

    seconds = sum(plan.tests.values())
    if seconds < 60.0:
        return
    say(Text("this takes about {minutes} minutes", {"minutes": round(seconds / 60.0)}), language)
    tell_disturbances(plan.tests, language)


def _walk(request: Request, journal: Journal, host: Host, state: Path) -> RunView:
    from agent.cli.progress import progress
    from agent.probes import areas
    from agent.runner.run import run as run_plan
    from agent.runner.steps import EARLIER, PROFILE, RULES
    from agent.watch import watchers

    total = (
        len(request.plan.areas or areas())
        + len(request.plan.tests) * (1 + len(watchers()))
        + len((PROFILE, EARLIER, RULES))
    )
    with progress(request.language, total) as shown:
        return run_plan(request, journal, host, [shown], state=state)
