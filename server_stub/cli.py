"""``aiodiag-server``: the receiver on the command line."""

from __future__ import annotations

import argparse
import json
import re
import socket
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import date
from ipaddress import ip_network
from pathlib import Path
from typing import NoReturn

import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from agent.texts import language_of_environment
from server_stub import audit, audit_cli, keys_cli
from server_stub.age import AgeIdentity
from server_stub.cases import all_cases, open_case
from server_stub.clock import iso
from server_stub.importing import ImportRefused, import_file
from server_stub.receiver import DataInUse, Receiver
from server_stub.rma import tidy_rma
from server_stub.settings import Settings, default_data
from server_stub.spoken import Spoken
from server_stub.staff import commands as staff_commands
from server_stub.storage import open_database
from uploader.keys import KeyUnusable

USAGE = 2
"""Exit status for bad input."""


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, or 2 after one line on standard error."""
    arguments = _parser().parse_args(argv)
    try:
        with audit.acting(audit_cli.operator()):
            return int(arguments.run(arguments))
    except (ValueError, OSError, SQLAlchemyError, KeyUnusable, DataInUse, ImportRefused) as error:
        print(f"aiodiag-server: {str(error).splitlines()[0]}", file=sys.stderr)
        return USAGE


def _serve(arguments: argparse.Namespace) -> int:
    from server_stub.app import create_app  # the pages, and what they need: no other command does

    settings = Settings(arguments.data, arguments.public_url)
    proxies = [str(proxy) for proxy in arguments.trusted_proxy]
    with closing(Receiver(settings)) as receiver:  # what is wrong is said in one line, before anybody listens
        hint = staff_commands.how_to_begin(receiver.db, settings.data)
    config = uvicorn.Config(
        create_app(settings),
        host=arguments.host,
        port=arguments.port,
        access_log=False,  # addresses hold claim codes
        log_level="warning",
        server_header=False,
        ws="none",
        proxy_headers=bool(proxies),  # or anybody could say whose request it is
        forwarded_allow_ips=proxies,
    )
    listener = _listen(arguments.host, arguments.port)
    if hint:
        print(hint, file=sys.stderr, flush=True)
    _Announcing(config).run(sockets=[listener])
    return 0


def _open_case(arguments: argparse.Namespace) -> int:
    with open_database(Settings(arguments.data)) as database, database.write() as session:
        opened = open_case(
            session,
            serial=arguments.serial,
            symptom=arguments.symptom,
            words=arguments.words,
            model=arguments.model,
            shipped=arguments.shipped,
        )
        answer = {
            "rma": opened.case.rma,
            "serial": opened.case.unit.serial,
            "claim": opened.claim,
            "case_path": opened.path,
        }
    print(json.dumps(answer))
    return 0


def _cases(arguments: argparse.Namespace) -> int:
    with open_database(Settings(arguments.data)) as database, database.read() as session:
        for case in all_cases(session):
            print(f"{case.rma}  {iso(case.created)}  {case.status.value:<17}  {case.unit.serial}")
    return 0


def _import(arguments: argparse.Namespace) -> int:
    imported = import_file(Settings(arguments.data), arguments.file, arguments.rma)
    if not imported.accepted:
        raise ImportRefused(f"{arguments.file}: kept in quarantine: {imported.bundle.reason}")
    bundle = imported.bundle
    answer = {"rma": imported.rma, "bundle_id": bundle.bundle_id, "sha256": bundle.sha256, "fresh": bundle.fresh}
    print(json.dumps(answer))
    return 0


def _recipient(arguments: argparse.Namespace) -> int:
    print(AgeIdentity.load_or_create(Settings(arguments.data).age).recipient)
    return 0


def _code(arguments: argparse.Namespace) -> int:
    lang = language_of_environment()
    told = Spoken.read(" ".join(arguments.digits), lang)
    print(f"{told.label} ({told.tail})")
    for fault in told.faults:
        print(f"{fault.code}  {fault.title}".rstrip())
    if told.more:
        print(told.more)
    return 0


class _Announcing(uvicorn.Server):
    """Says where it listens once it does, for scripts that wait for it."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            if self.started:
                host, port = listener.getsockname()[:2]
                shown = f"[{host}]" if ":" in host else host
                print(f"listening on http://{shown}:{port}", flush=True)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="aiodiag-server", description="The receiver of diagnostics bundles.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    data = _Parser(add_help=False)
    data.add_argument("--data", type=Path, default=default_data(), metavar="DIR", help="where everything is kept")

    serve = commands.add_parser("serve", parents=[data], help="answer on HTTP")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    serve.add_argument("--port", type=_port, default=8765, help="port, 0 for any free one (%(default)s)")
    serve.add_argument("--public-url", default="", metavar="URL", help="where customers reach these pages")
    serve.add_argument(
        "--trusted-proxy",
        type=ip_network,
        action="append",
        default=[],
        metavar="ADDRESS",
        help="whose X-Forwarded-For is believed, an address or a network; may be given more than once",
    )
    serve.set_defaults(run=_serve)

    opening = commands.add_parser("open-case", parents=[data], help="open an RMA case; prints JSON with the claim code")
    opening.add_argument("--serial", required=True, help="serial number of the unit")
    opening.add_argument("--symptom", type=_symptom, default="", help="what the customer complains of, as one word")
    opening.add_argument("--words", type=_words, default="", help="what the customer says")
    opening.add_argument("--model", type=_words, default="", help="model of the unit")
    opening.add_argument("--shipped", type=_day, metavar="YYYY-MM-DD", help="day on which the unit was shipped")
    opening.set_defaults(run=_open_case)

    listing = commands.add_parser("cases", parents=[data], help="list the cases, the newest first")
    listing.set_defaults(run=_cases)
    keys_cli.register(commands, data)
    staff_commands.register(commands, data)
    audit_cli.register(commands, data)

    importing = commands.add_parser("import", parents=[data], help="take in a bundle from a stick; prints JSON")
    importing.add_argument("file", type=Path, metavar="FILE", help="the bundle, encrypted to this receiver or plain")
    importing.add_argument("--rma", type=_rma, metavar="NUMBER", help="its case, where it was sealed without one")
    importing.set_defaults(run=_import)

    code = commands.add_parser("code", help="name what a customer reads out over the telephone")
    code.add_argument("digits", nargs="+", metavar="DIGITS", help="as `aiodiag bundle code` prints them")
    code.set_defaults(run=_code)

    recipient = commands.add_parser("recipient", parents=[data], help="the age key that bundles are encrypted to")
    recipient.set_defaults(run=_recipient)
    return parser


def _rma(text: str) -> str:
    tidy = tidy_rma(text)
    if not tidy:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no RMA number")
    return tidy


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return int(text)


def _symptom(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]{0,40}", text):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no symptom")
    return text


def _words(text: str) -> str:
    if len(text) > 2000:
        raise argparse.ArgumentTypeError("at most 2000 characters")
    return text


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no day (YYYY-MM-DD)") from None


if __name__ == "__main__":
    sys.exit(main())
