"""``aiodiag link``: an address for the owner's telephone, which shows once what this unit sent."""

from __future__ import annotations

import argparse
from gettext import gettext as _
from typing import TYPE_CHECKING

from agent.cli.commands import Subparsers
from agent.cli.problem import Problem, explained
from agent.cli.settings import state_directory
from agent.cli.streams import print_json, teller
from agent.model import Text

if TYPE_CHECKING:
    from uploader.outbox import Entry, Outbox


def register(subparsers: Subparsers, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    text = _("make a link that shows once, on another screen, what this unit sent to its case")
    parser = subparsers.add_parser("link", parents=[common], help=text, description=text)
    parser.add_argument("--rma", metavar="NUMBER", help=_("the RMA number of the case"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0, and the link; it works once, for a quarter of an hour."""
    from uploader.submission import Desk

    desk = Desk(state_directory(), teller(args.lang))
    with explained():
        url = desk.link(_entry(desk.outbox, args.rma))
    if args.json:
        print_json({"schema": 1, "url": url})
    else:
        print(url)
    return 0


def _entry(outbox: Outbox, rma: str | None) -> Entry:
    """One that was delivered, to the case that is named, or the only one; raises :class:`Problem`."""
    from uploader.outbox import State

    sent = {e.rma: e for e in outbox.entries() if e.state is State.DELIVERED and rma in {None, e.rma}}
    if not sent:
        raise Problem(Text("nothing was delivered yet that could be shown"))
    if len(sent) > 1:
        raise Problem(Text("bundles were delivered to several cases; say which with --rma: {cases}",
                           {"cases": ", ".join(sorted(sent))}))  # fmt: skip
    return next(iter(sent.values()))
