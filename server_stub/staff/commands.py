"""``aiodiag-server account`` and ``aiodiag-server token``: who may sign in, on the command line."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from server_stub.clock import iso, now
from server_stub.db import Database
from server_stub.db.accounts import Account, Role
from server_stub.settings import Settings
from server_stub.staff import accounts, tokens
from server_stub.staff.roles import Scope
from server_stub.storage import open_database

_DAYS = 90
"""For which a token holds unless another number is said. Ours."""


def register(commands: Any, data: argparse.ArgumentParser) -> None:
    """Add the commands; ``data`` brings the option that says where everything is kept."""
    account = commands.add_parser("account", help="who of the staff may sign in").add_subparsers(
        required=True, metavar="COMMAND"
    )
    named = argparse.ArgumentParser(add_help=False)
    named.add_argument("name", metavar="NAME")
    adding = account.add_parser("add", parents=[data, named], help="make an account; asks for its password")
    adding.add_argument("--role", required=True, type=Role, choices=list(Role), metavar="|".join(Role))
    adding.set_defaults(run=_add)
    account.add_parser("list", parents=[data], help="list the accounts").set_defaults(run=_list)
    disabling = account.add_parser("disable", parents=[data, named], help="sign out everywhere, and never in again")
    disabling.set_defaults(run=_disable)
    changing = account.add_parser("password", parents=[data, named], help="set another password; asks for it")
    changing.set_defaults(run=_password)

    token = commands.add_parser("token", help="which programs may call").add_subparsers(
        required=True, metavar="COMMAND"
    )
    making = token.add_parser("add", parents=[data], help="make a token; prints JSON with its only copy")
    making.add_argument("--name", required=True, metavar="TEXT", help="whose it is, for the list")
    making.add_argument("--scope", required=True, action="append", type=Scope, choices=list(Scope), dest="scopes",
                        metavar="|".join(Scope))  # fmt: skip
    making.add_argument("--days", type=int, default=_DAYS, help="for how long it holds (%(default)s)")
    making.set_defaults(run=_add_token)
    token.add_parser("list", parents=[data], help="list the tokens").set_defaults(run=_list_tokens)
    revoking = token.add_parser("revoke", parents=[data], help="let a token open nothing any more")
    revoking.add_argument("id", type=int, metavar="ID", help="as `token list` prints it")
    revoking.set_defaults(run=_revoke_token)


def how_to_begin(database: Database, data: Path) -> str:
    """What whoever starts a receiver without accounts should know: how the first one is made; ``""`` with accounts."""
    with database.read() as session:
        if accounts.count(session):
            return ""
    return f"no staff account yet: make the first one with: aiodiag-server account add NAME --role admin --data {data}"


def _add(arguments: argparse.Namespace) -> int:
    password = _asked_password()
    with open_database(Settings(arguments.data)) as database, database.write() as session:
        accounts.add(session, arguments.name, arguments.role, password)
    print(f"{arguments.name} can sign in at /staff/ as {arguments.role.value}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    with open_database(Settings(arguments.data)) as database, database.read() as session:
        for account in accounts.everybody(session):
            state = "disabled" if account.disabled else "may sign in"
            print(f"{account.name}  {account.role.value}  {state}  last: {_time(account.last_sign_in)}")
    return 0


def _disable(arguments: argparse.Namespace) -> int:
    with open_database(Settings(arguments.data)) as database, database.write() as session:
        accounts.disable(session, accounts.named(session, arguments.name))
    print(f"{arguments.name} is signed out and cannot sign in any more")
    return 0


def _password(arguments: argparse.Namespace) -> int:
    with open_database(Settings(arguments.data)) as database:
        with database.read() as session:
            account: Account = accounts.named(session, arguments.name)
        password = _asked_password()
        with database.write() as session:
            accounts.set_password(session, session.get_one(Account, account.id), password)
    print(f"{arguments.name} has another password, and is signed out everywhere")
    return 0


def _asked_password() -> str:
    """From the terminal, twice and unseen, or the first line of standard input; never an argument, which every program
    on the machine can read.
    """
    if not sys.stdin.isatty():
        return sys.stdin.readline(4096).rstrip("\r\n")
    password = getpass.getpass("password: ")
    if getpass.getpass("once more: ") != password:
        raise ValueError("the two passwords are not the same")
    return password


def _add_token(arguments: argparse.Namespace) -> int:
    with open_database(Settings(arguments.data)) as database, database.write() as session:
        token, word = tokens.add(session, arguments.name, arguments.scopes, arguments.days)
        answer = {"id": token.id, "token": word, "scopes": token.scopes.split(), "expires": iso(token.expires)}
    print(json.dumps(answer))
    return 0


def _list_tokens(arguments: argparse.Namespace) -> int:
    with open_database(Settings(arguments.data)) as database, database.read() as session:
        for token in tokens.all_tokens(session):
            state = (
                "revoked" if token.revoked else "expired" if token.expires <= now() else f"until {iso(token.expires)}"
            )
            print(f"{token.id}  {state}  last used: {_time(token.last_used)}  {token.scopes}  {token.name}")
    return 0


def _revoke_token(arguments: argparse.Namespace) -> int:
    with open_database(Settings(arguments.data)) as database, database.write() as session:
        tokens.revoke(session, arguments.id)
    print(f"token {arguments.id} is revoked")
    return 0


def _time(time: datetime | None) -> str:
    return iso(time) if time else "never"
