"""``aiodiag upload``: send what waits in the outbox."""

from __future__ import annotations

import argparse
from gettext import gettext as _
from typing import TYPE_CHECKING

from agent.cli.commands import Subparsers
from agent.cli.problem import INCOMPLETE, Problem, existing_file, explained
from agent.cli.sending import deliver, receiver_address
from agent.cli.settings import rate_limit, state_directory
from agent.cli.streams import print_json, teller
from agent.model import Text

if TYPE_CHECKING:
    from pathlib import Path

    from uploader.outbox import Entry
    from uploader.submission import Desk


def register(subparsers: Subparsers, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    text = _("send what waits in the outbox, or the given bundles")
    parser = subparsers.add_parser("upload", parents=[common], help=text, description=text)
    parser.add_argument("bundles", nargs="*", metavar="BUNDLE", help=_("a sealed bundle (default: all)"))
    parser.add_argument("--server", metavar="URL", help=_("the receiver (default: $AIODIAG_SERVER)"))
    rate = _("bytes a second at most, as in 500k or 2M (default: $AIODIAG_LIMIT_RATE, else no limit)")
    parser.add_argument("--limit-rate", metavar="RATE", help=rate)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when everything that was to be sent is delivered, 3 when something is left."""
    from pathlib import Path

    from uploader.outbox import State
    from uploader.submission import Desk

    desk = Desk(state_directory(), teller(args.lang))
    rate_limit(args.limit_rate)  # before anything is put into the outbox
    with explained():
        if args.bundles:
            entries = [_put(desk, Path(bundle), args.server) for bundle in args.bundles]
        else:
            entries = [_addressed(desk, e, args.server) for e in desk.outbox.entries() if e.state is State.WAITING]
        sent = [entry.state is State.DELIVERED or deliver(desk, entry, args.lang, args.limit_rate) for entry in entries]
        if args.json:
            after = [desk.outbox.get(entry.sha256).to_json() for entry in entries]
            print_json({"schema": 1, "entries": after})
    return 0 if all(sent) else INCOMPLETE


def _addressed(desk: Desk, entry: Entry, server: str | None) -> Entry:
    """An entry goes to the receiver that it was put in for, unless another one is named now. One whose state file was
    lost does not know its receiver any more.
    """
    if entry.server and not server:
        return entry
    return desk.outbox.addressed(entry, receiver_address(server))


def _put(desk: Desk, bundle: Path, server: str | None) -> Entry:
    from uploader.bundle.verify import open_bundle

    with explained(status=2), open_bundle(existing_file(str(bundle))) as opened:
        rma = opened.statement.run.rma
    if rma is None:
        raise Problem(Text("{path} was sealed for no RMA; seal it again with --rma", {"path": str(bundle)}))
    return desk.outbox.add(bundle, rma=rma, server=receiver_address(server))
