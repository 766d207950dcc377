"""What the commands that check a unit have in common: who it is, what is asked, how the result is sealed and sent."""

from __future__ import annotations

import sys
from gettext import gettext as _
from typing import TYPE_CHECKING

from agent.cli.problem import Problem, explained
from agent.cli.sending import receiver_address
from agent.cli.settings import rate_limit
from agent.cli.streams import tell
from agent.model import Text
from agent.model.check_digit import is_rma_number
from agent.texts import render

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from agent.host import Host
    from agent.journal import RunStore
    from agent.model.run_view import RunView
    from agent.plans import Symptom
    from uploader.outbox import Entry
    from uploader.submission import Desk


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whose case it is, and which unit."""
    parser.add_argument("--rma", metavar="NUMBER", help=_("the RMA number of the case"))
    parser.add_argument("--serial", metavar="SERIAL", help=_("the serial number on the label, where the unit has none"))
    parser.add_argument("--server", metavar="URL", help=_("the receiver (default: $AIODIAG_SERVER)"))


def symptom_named(name: str | None) -> Symptom | None:
    """The symptom; raises :class:`Problem` for one that nobody knows."""
    from agent.plans import symptom, symptoms

    if name is None:
        return None
    if name not in symptoms():
        known = ", ".join(symptoms())
        raise Problem(Text("unknown symptom {symptom}; there are: {known}", {"symptom": name, "known": known}))
    return symptom(name)


def identified(args: argparse.Namespace) -> dict[str, str]:
    """The unit's identity. Checks the case's number and the receiver's address first (``args.server`` is the address
    then), and asks the person for the serial number where there is nobody else to tell it.
    """
    from agent.host import Host

    require_case(args)
    return identified_on(Host(), args)


def require_case(args: argparse.Namespace) -> None:
    """Raises :class:`Problem` for a number that is no case's, an address that is no receiver's, or a limit of the line
    that is none: not at the end of what may take hours.
    """
    if args.rma is not None:
        if not is_rma_number(args.rma):
            raise Problem(Text("{rma} is not an RMA number; it looks like HB26-483920-5", {"rma": args.rma}))
        args.server = receiver_address(args.server)
        rate_limit(None)


def identified_on(host: Host, args: argparse.Namespace) -> dict[str, str]:
    """The unit's identity as ``host`` shows it; the person is asked where it shows no serial number."""
    from agent.runner.identity import identify

    typed = _serial(args.serial) if args.serial is not None else None
    unit = identify(host, typed)
    if typed and typed != unit.get("serial"):
        tell(Text("the unit itself says that its serial number is {serial}; that counts", unit), args.lang)
    if not unit.get("serial") and not args.json and sys.stdin.isatty() and sys.stderr.isatty():
        unit = _ask(unit, args.lang)
    if args.rma is not None and not unit.get("serial"):
        raise Problem(Text("this unit does not tell its serial number; give the one on its label with --serial"))
    return unit


def announce(args: argparse.Namespace, desk: Desk, serial: str) -> str | None:
    """The nonce of the case; ``None`` when the receiver cannot give one now, which keeps nobody from checking."""
    from uploader.http import ReceiverError
    from uploader.receiver import UnknownCase

    with explained():
        try:
            return desk.announce(args.server, args.rma, serial)
        except UnknownCase:
            raise
        except ReceiverError as e:
            tell(e.reason, args.lang)
            return None


def close_earlier(store: RunStore, language: str) -> None:
    """Close what an earlier agent left open, and tell the person."""
    from agent.runner.recovery import close_interrupted

    for closed in close_interrupted(store):
        values = {"path": str(store.path(closed.run_id))}
        tell(Text("an earlier check did not come to its end; what it found is kept in {path}", values), language)
        tell(closed.why, language)


def seal(
    args: argparse.Namespace, desk: Desk, run: Path, view: RunView, nonce: str | None
) -> tuple[Path, Entry | None]:
    """Seal a run; where it is for a case, its bundle goes into the outbox before anything is printed: a terminal that
    goes away must not keep it from its case. Raises :class:`Problem`.
    """
    with explained():
        bundle = desk.seal(run, run.name, view, rma=args.rma, nonce=nonce).path
        return bundle, desk.outbox.add(bundle, rma=args.rma, server=args.server) if args.rma else None


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
