"""``aiodiag selfcheck``: check this unit, seal what was found, and attach it to the RMA case."""

from __future__ import annotations

import argparse
import sys
import time
from gettext import gettext as _
from typing import TYPE_CHECKING

from agent.cli.commands import Subparsers
from agent.cli.problem import Problem, explained
from agent.cli.sending import deliver, receiver_address
from agent.cli.settings import state_directory
from agent.cli.streams import print_json, tell
from agent.model import Text
from agent.model.check_digit import is_rma_number
from agent.model.verdict import exit_status
from agent.texts import render

if TYPE_CHECKING:
    from pathlib import Path

    from agent.journal import Journal
    from agent.model.run_view import RunView
    from agent.plans import Plan, Symptom
    from agent.runner.run import Request
    from uploader.outbox import Entry
    from uploader.submission import Desk


def register(subparsers: Subparsers, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    text = _("check this unit; with an RMA number, send the result to its case")
    parser = subparsers.add_parser("selfcheck", parents=[common], help=text, description=text)
    parser.add_argument("--symptom", metavar="SYMPTOM", help=_("what is wrong, for example restarts or no-picture"))
    parser.add_argument("--plan", metavar="PLAN", default="quick", help=_("how thorough (default: quick)"))
    parser.add_argument("--rma", metavar="NUMBER", help=_("the RMA number of the case"))
    parser.add_argument("--serial", metavar="SERIAL", help=_("the serial number on the label, where the unit has none"))
    parser.add_argument("--server", metavar="URL", help=_("the receiver (default: $AIODIAG_SERVER)"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check, seal, send. Exit status 0 nothing wrong found, 1 a fault was found, 3 could not be judged; a bundle that
    could not be sent stays in the outbox and does not change it. Where no bundle can be made (full disk), the person is
    told what was found all the same, and the status is 3.
    """
    from agent.journal import RunStore
    from agent.runner.recovery import close_interrupted
    from uploader.submission import Desk

    began = time.monotonic()
    request = _request(args)
    state = state_directory()
    desk, store = Desk(state), RunStore(state)
    for closed in close_interrupted(store):
        values = {"path": str(store.path(closed.run_id))}
        tell(Text("an earlier check did not come to its end; what it found is kept in {path}", values), args.lang)
    nonce = _announce(args, desk, request) if request.rma else None
    with explained():
        run_id, journal = store.new()
        with journal:
            view = _walk(request, journal, state)
    bundle: Path | None = None
    entry: Entry | None = None
    try:
        with explained():
            bundle = desk.seal(store.path(run_id), run_id, view, rma=request.rma, nonce=nonce).path
            # Before anything is printed: a terminal that goes away must not keep the bundle from its case.
            if request.rma:
                entry = desk.outbox.add(bundle, rma=request.rma, server=args.server)
    except Problem:
        _tell_result(args, view, run_id, time.monotonic() - began, bundle)
        raise
    _tell_result(args, view, run_id, time.monotonic() - began, bundle)
    if entry:
        deliver(desk, entry, args.lang)
    return exit_status(view.verdict)


def _tell_result(args: argparse.Namespace, view: RunView, run_id: str, duration_s: float, bundle: Path | None) -> None:
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


def _request(args: argparse.Namespace) -> Request:
    """What is asked for; every word of it is checked before anything is started."""
    from agent.host import Host
    from agent.runner.identity import identify
    from agent.runner.run import Request

    plan, symptom = _plan(args.plan), _symptom(args.symptom)
    if args.rma is not None:
        if not is_rma_number(args.rma):
            raise Problem(Text("{rma} is not an RMA number; it looks like HB26-483920-5", {"rma": args.rma}))
        args.server = receiver_address(args.server)
    typed = _serial(args.serial) if args.serial is not None else None
    unit = identify(Host(), typed)
    if typed and typed != unit.get("serial"):
        tell(Text("the unit itself says that its serial number is {serial}; that counts", unit), args.lang)
    if not unit.get("serial") and not args.json and sys.stdin.isatty() and sys.stderr.isatty():
        unit = _ask(unit, args.lang)
    if args.rma is not None and not unit.get("serial"):
        raise Problem(Text("this unit does not tell its serial number; give the one on its label with --serial"))
    return Request(plan, symptom, args.rma, args.lang, args.command_line, unit)


def _plan(name: str) -> Plan:
    from agent.plans import plan, plans

    if name not in plans():
        raise Problem(Text("unknown plan {plan}; there are: {known}", {"plan": name, "known": ", ".join(plans())}))
    return plan(name)


def _symptom(name: str | None) -> Symptom | None:
    from agent.plans import symptom, symptoms

    if name is None:
        return None
    if name not in symptoms():
        known = ", ".join(symptoms())
        raise Problem(Text("unknown symptom {symptom}; there are: {known}", {"symptom": name, "known": known}))
    return symptom(name)


def _serial(typed: str) -> str:
    from agent.probes._identity import usable_serial

    serial = usable_serial(typed)
    if serial is None:
        raise Problem(Text("{serial} is no serial number", {"serial": typed[:64]}))
    return serial


def _ask(unit: dict[str, str], language: str) -> dict[str, str]:
    """Ask the person, who can type or scan the label; nothing typed is no serial number."""
    from agent.probes._identity import usable_serial
    from agent.runner.identity import with_serial

    question = Text("Type or scan the serial number on the label (or press Enter to go on without): ")
    print(render(question, language), end="", file=sys.stderr, flush=True)
    while typed := sys.stdin.readline().strip():
        serial = usable_serial(typed)
        if serial:
            return with_serial(unit, serial)
        again = Text("{serial} is no serial number", {"serial": typed[:64]})
        print(f"{render(again, language)}\n{render(question, language)}", end="", file=sys.stderr, flush=True)
    return unit


def _announce(args: argparse.Namespace, desk: Desk, request: Request) -> str | None:
    """The nonce of the case; ``None`` when the receiver cannot give one now, which keeps nobody from checking."""
    from uploader.http import ReceiverError
    from uploader.receiver import UnknownCase

    assert request.rma is not None
    with explained():
        try:
            return desk.announce(args.server, request.rma, request.unit["serial"])
        except UnknownCase:
            raise
        except ReceiverError as e:
            tell(e.reason, args.lang)
            return None


def _walk(request: Request, journal: Journal, state: Path) -> RunView:
    from agent.cli.progress import progress
    from agent.host import Host
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
        return run_plan(request, journal, Host(), [shown], state=state)
