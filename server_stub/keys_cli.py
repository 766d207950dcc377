"""``aiodiag-server conflicts`` and its neighbours: what staff see and decide of device keys."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from server_stub import key_decisions
from server_stub.clock import iso
from server_stub.db import DeviceKey
from server_stub.enrolment import enrolled_key
from server_stub.intake import Intake
from server_stub.key_levels import level_of
from server_stub.settings import Settings
from server_stub.storage import open_blobs, open_database
from server_stub.uploads import Uploads
from uploader.bundle.verify import BundleRejected, open_bundle

_SHOWN_DIGITS = 16


def register(commands: Any, data: argparse.ArgumentParser) -> None:
    """Add the commands; ``data`` brings the option that says where everything is kept."""
    conflicts = commands.add_parser("conflicts", parents=[data], help="list the keys that wait for a decision")
    conflicts.set_defaults(run=_conflicts)
    named = argparse.ArgumentParser(add_help=False)
    named.add_argument("--serial", required=True, help="serial number of the unit")
    named.add_argument("--key", required=True, metavar="KEYID", help="key id, or its first digits (8 at least)")
    accepting = commands.add_parser(
        "accept-key", parents=[data, named], help="let a key speak for its unit, instead of any other"
    )
    accepting.set_defaults(run=_accept)
    revoking = commands.add_parser(
        "revoke-key", parents=[data, named], help="refuse a key, or take one back; what it seals is quarantined"
    )
    revoking.set_defaults(run=_revoke)
    factory = commands.add_parser(
        "factory-key", parents=[data], help="take down the key that sealed a bundle where the unit was made"
    )
    factory.add_argument("bundle", type=Path, metavar="FILE")
    factory.set_defaults(run=_factory)


def _conflicts(arguments: argparse.Namespace) -> int:
    """One line a key: which asks, when it came, and which speaks for the unit now."""
    with open_database(Settings(arguments.data)) as database, database.read() as session:
        for unit, key in key_decisions.waiting(session):
            current = enrolled_key(session, unit.id)
            now = _shown(session, current) if current else "none"
            print(f"{unit.serial}  {iso(key.first_seen)}  {_shown(session, key)}  now: {now}")
    return 0


def _accept(arguments: argparse.Namespace) -> int:
    settings = Settings(arguments.data)
    with open_database(settings) as database:
        with database.write() as session:
            key = key_decisions.find(session, arguments.serial, arguments.key)
            key_decisions.accept(session, key)
        intake = Intake(database, open_blobs(settings), Uploads(database, settings.spool))
        print(f"{key.keyid} speaks for the unit; {intake.judge_again(key.unit_id)} bundles left the quarantine")
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    with open_database(Settings(arguments.data)) as database, database.write() as session:
        key = key_decisions.find(session, arguments.serial, arguments.key)
        key_decisions.revoke(session, key)
    print(f"{key.keyid} is revoked")
    return 0


def _factory(arguments: argparse.Namespace) -> int:
    try:
        with open_bundle(arguments.bundle) as bundle:
            run = bundle.statement.run
    except BundleRejected as error:
        raise ValueError(str(error)) from error
    with open_database(Settings(arguments.data)) as database, database.write() as session:
        key = key_decisions.enrol_at_factory(session, run)
        print(f"{run.serial}  {_shown(session, key)}")
    return 0


def _shown(session: Session, key: DeviceKey) -> str:
    known = [key.protection, level_of(session, key).value, *([key.unproven] if key.unproven else [])]
    return f"{key.keyid[:_SHOWN_DIGITS]} ({', '.join(known)})"
