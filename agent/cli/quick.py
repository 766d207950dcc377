"""What a unit without internet can say of itself: a picture for the camera of a phone, digits for a telephone."""

from __future__ import annotations

import argparse
import os
import sys
from gettext import gettext as _
from typing import TYPE_CHECKING

from agent.cli.problem import Problem, existing_file, explained
from agent.cli.sending import met_receivers, receiver_address
from agent.cli.settings import server_address, state_directory
from agent.cli.streams import print_json, teller
from agent.model import Text
from agent.texts import render

if TYPE_CHECKING:
    from pathlib import Path

    from segno import QRCode

    from agent.cli.commands import Subparsers

_SCALE = 8
"""Pixels of a picture for each module of the code. Ours: 520 pixels in all, as large as a hand on most screens."""
_WHITE_ON_BLACK, _AS_BEFORE = "\x1b[97;40m", "\x1b[0m"


def register(actions: Subparsers, common: argparse.ArgumentParser) -> None:
    """Add the actions to ``aiodiag bundle``."""
    text = _("show a code for the camera of a phone, which opens what was found at the receiver")
    qr = actions.add_parser("qr", parents=[common], help=text, description=text)
    qr.add_argument("file", nargs="?", metavar="FILE", help=_("the bundle (default: the newest)"))
    qr.add_argument("-o", "--output", metavar="FILE", help=_("write a picture instead: FILE.svg or FILE.png"))
    qr.add_argument("--server", metavar="URL", help=_("the receiver (default: $AIODIAG_SERVER)"))
    qr.set_defaults(run=run_qr)
    text = _("show what was found as digits that can be read out over the telephone")
    code = actions.add_parser("code", parents=[common], help=text, description=text)
    code.add_argument("file", nargs="?", metavar="FILE", help=_("the bundle (default: the newest)"))
    code.set_defaults(run=run_code)


def run_qr(args: argparse.Namespace) -> int:
    """Exit status 0; 2 when there is no bundle, or none of this unit, or no place to draw."""
    from uploader.bundle.quick_code import address
    from uploader.bundle.verify import open_bundle
    from uploader.submission import Desk

    state = state_directory()
    path, server = chosen_bundle(args.file, state), _receiver(args.server, state)
    with explained(status=2), open_bundle(path) as bundle:
        url = address(server, Desk(state, teller(args.lang)).quick_code(bundle))
    if args.output:
        _write(url, args.output)
    if args.json:
        print_json({"schema": 1, "bundle": str(path), "url": url, "output": args.output})
    elif args.output:
        print(args.output)
    else:
        _print(url)
        print(render(Text("Point the camera of a phone at it; this computer sends nothing."), args.lang))
    return 0


def run_code(args: argparse.Namespace) -> int:
    """Exit status 0; 2 when there is no bundle."""
    from agent.model.run_view import RunView
    from agent.model.spoken_code import SpokenCode
    from uploader.bundle.quick_code import worst
    from uploader.bundle.verify import open_bundle

    path = chosen_bundle(args.file, state_directory())
    with explained(status=2), open_bundle(path) as bundle:
        faults = worst(f.finding.code for f in RunView.from_records(bundle.journal()).findings)
        code = str(SpokenCode.of(bundle.statement.run.verdict, faults, bundle.sha256))
    if args.json:
        print_json({"schema": 1, "bundle": str(path), "code": code})
    else:
        print(code)
    return 0


def chosen_bundle(file: str | None, state: Path) -> Path:
    """The bundle that is named, else the newest that this unit sealed; raises :class:`Problem` where there is none."""
    from uploader.bundle.format import FILE_SUFFIX

    if file is not None:
        return existing_file(file)
    sealed = [p for p in (state / "bundles").glob(f"*{FILE_SUFFIX}") if not p.name.startswith(".")]
    if not sealed:
        raise Problem(Text("there is no bundle yet; make one with: aiodiag selfcheck"))
    return max(sealed, key=lambda p: p.stat().st_mtime_ns)


def _receiver(given: str | None, state: Path) -> str:
    """The address of the receiver: as given, else that of the only one that was ever met."""
    if server_address(given) is None:
        met = met_receivers(None, state)
        if len(met) == 1:
            return met[0].base_url
    return receiver_address(given)


def _code(url: str) -> QRCode:
    """Level M: a screen is clean, and a photo of it from aside is not."""
    import segno

    return segno.make_qr(url, error="m", boost_error=False)


def _write(url: str, output: str) -> None:
    from io import BytesIO
    from pathlib import Path

    from agent import durable

    target = Path(output)
    kind = target.suffix.lower().removeprefix(".")
    if kind not in {"svg", "png"}:
        raise Problem(Text("{path}: only pictures named .svg or .png can be written", {"path": output}))
    data = BytesIO()
    _code(url).save(data, kind=kind, scale=_SCALE)
    durable.replace(target, data.getvalue())


def _print(url: str) -> None:
    """Two modules to a character, light ones drawn: on a terminal the colours are set, so that light is light."""
    from io import StringIO

    drawn = StringIO()
    _code(url).terminal(drawn, compact=True)
    lines = drawn.getvalue().splitlines()
    try:
        drawn.getvalue().encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError as e:
        raise Problem(Text("this terminal cannot draw the code; write a picture with: -o code.png")) from e
    if sys.stdout.isatty():
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
        if columns and (columns < len(lines[0]) or rows < len(lines)):
            values = {"columns": len(lines[0]), "rows": len(lines)}
            small = Text("the code needs {columns} columns and {rows} rows; write a picture with: -o code.png", values)
            raise Problem(small)
        lines = [f"{_WHITE_ON_BLACK}{line}{_AS_BEFORE}" for line in lines]
    print("\n".join(lines))
