"""``aiodiag outbox``: what was sent, and what still waits."""

from __future__ import annotations

import argparse
from gettext import gettext as _

from agent.cli.commands import Subparsers
from agent.cli.problem import explained
from agent.cli.settings import state_directory
from agent.cli.streams import print_json


def register(subparsers: Subparsers, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    text = _("what was sent, and what still waits")
    subparsers.add_parser("outbox", parents=[common], help=text, description=text).set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0."""
    from uploader.outbox import Outbox

    with explained():
        entries = Outbox(state_directory() / "outbox").entries()
    if args.json:
        document = {"schema": 1, "entries": [entry.to_json() for entry in entries]}
        print_json(document)
    else:
        from agent.cli.tables import print_outbox

        print_outbox(entries, args.lang)
    return 0
