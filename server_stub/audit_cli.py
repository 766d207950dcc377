"""``aiodiag-server audit``: the audit log, for whoever has to believe it."""

from __future__ import annotations

import argparse
import os
import pwd
from pathlib import Path
from typing import Any

from server_stub.audit import OPERATOR
from server_stub.audit.signed_head import MAX_HEAD, read_head, sign_head
from server_stub.audit.walk import rows, subjects_of, verify
from server_stub.pages.visible import visible
from server_stub.rma import tidy_rma
from server_stub.settings import Settings
from server_stub.storage import open_database
from uploader.keys import DeviceKey


def register(commands: Any, data: argparse.ArgumentParser) -> None:
    """Add the commands; ``data`` brings the option that says where everything is kept."""
    audit = commands.add_parser("audit", help="the log of what warranty money hangs on")
    verbs = audit.add_subparsers(required=True, metavar="VERB")
    verifying = verbs.add_parser("verify", parents=[data], help="walk the whole log; says the first row that is wrong")
    verifying.add_argument(
        "--head", type=Path, metavar="FILE", help="an earlier output of `audit head`: nothing is missing since"
    )
    verifying.set_defaults(run=_verify)
    heading = verbs.add_parser("head", parents=[data], help="print the newest row's hash, signed, to be kept elsewhere")
    heading.set_defaults(run=_head)
    showing = verbs.add_parser("show", parents=[data], help="print the log, one row a line")
    showing.add_argument("--rma", metavar="NUMBER", help="only of this case and its unit")
    showing.set_defaults(run=_show)


def operator() -> str:
    """The account of the system that runs this command, as an actor."""
    try:
        return f"{OPERATOR}:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:  # a container may run as a number that has no name
        return f"{OPERATOR}:{os.getuid()}"


def _verify(arguments: argparse.Namespace) -> int:
    earlier = None
    if arguments.head is not None:
        with arguments.head.open("rb") as file:
            envelope = file.read(MAX_HEAD + 1)
        earlier = read_head(envelope, _key(arguments.data).public)
    with open_database(Settings(arguments.data)) as database, database.read() as session:
        last = verify(session, earlier)
    print(f"{last.sequence} rows, whole; head {last.hash}")
    return 0


def _head(arguments: argparse.Namespace) -> int:
    """What is signed was walked before: a broken log gets no head."""
    with open_database(Settings(arguments.data)) as database, database.read() as session:
        last = verify(session)
    print(sign_head(last, _key(arguments.data)).decode())
    return 0


def _show(arguments: argparse.Namespace) -> int:
    with open_database(Settings(arguments.data)) as database, database.read() as session:
        subjects = None if arguments.rma is None else subjects_of(session, tidy_rma(arguments.rma))
        for row in rows(session, subjects):
            line = f"{row.sequence}  {row.time}  {row.actor}  {row.action}  {row.subject}  {row.detail}"
            print(visible(line, len(line)))
    return 0


def _key(data: Path) -> DeviceKey:
    return DeviceKey.load_or_create(Settings(data).key)
