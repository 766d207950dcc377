"""``aiodiag bundle``: preview and seal a run, look into a bundle, check one, carry it by hand, take its raw evidence
out.
"""

from __future__ import annotations

import argparse
from gettext import gettext as _
from typing import TYPE_CHECKING, Any

from agent.cli import quick
from agent.cli.commands import Subparsers
from agent.cli.problem import Problem, existing_file, explained
from agent.cli.sending import met_receivers, receiver_address
from agent.cli.settings import server_address, state_directory
from agent.cli.streams import print_json, teller
from agent.model import Text
from agent.model.check_digit import is_rma_number
from agent.texts import render

if TYPE_CHECKING:
    from pathlib import Path

    from uploader.bundle.verify import VerifiedBundle


def register(subparsers: Subparsers, common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    text = _("seal a run, look into a bundle, check one")
    bundle = subparsers.add_parser("bundle", parents=[], help=text, description=text)
    actions = bundle.add_subparsers(dest="action", required=True, metavar="ACTION")
    text = _("show what of a run would be replaced by pseudonyms before it is sealed; writes nothing")
    preview = actions.add_parser("preview", parents=[common], help=text, description=text)
    preview.add_argument("run_id", nargs="?", metavar="RUN", help=_("the run (default: the newest)"))
    preview.set_defaults(run=run_preview)
    text = _("seal a run into a bundle")
    seal = actions.add_parser("seal", parents=[common], help=text, description=text)
    seal.add_argument("run_id", nargs="?", metavar="RUN", help=_("the run (default: the newest)"))
    seal.add_argument("--rma", metavar="NUMBER", help=_("the RMA number of the case"))
    seal.add_argument("--server", metavar="URL", help=_("the receiver (default: $AIODIAG_SERVER)"))
    seal.set_defaults(run=run_seal)
    text = _("show what a bundle says")
    show = actions.add_parser("show", parents=[common], help=text, description=text)
    show.add_argument("file", metavar="FILE")
    show.set_defaults(run=run_show)
    text = _("check that a bundle is whole and signed")
    verify = actions.add_parser("verify", parents=[common], help=text, description=text)
    verify.add_argument("file", metavar="FILE")
    verify.set_defaults(run=run_verify)
    text = _("write the raw evidence of a bundle as a text file that can be reviewed, committed and diagnosed")
    capture = actions.add_parser("capture", parents=[common], help=text, description=text)
    capture.add_argument("file", metavar="FILE")
    capture.add_argument("-o", "--output", metavar="FILE", required=True, help=_("where to write it"))
    capture.add_argument("--area", metavar="AREA", action="append", help=_("only this area (can be given repeatedly)"))
    capture.add_argument("--description", metavar="TEXT", default="", help=_("what it shows, in a sentence"))
    capture.set_defaults(run=run_capture)
    text = _("encrypt a bundle to the receiver, for a unit without internet: carry it there on a stick")
    encrypt = actions.add_parser("encrypt", parents=[common], help=text, description=text)
    encrypt.add_argument("file", metavar="FILE")
    encrypt.add_argument("-o", "--output", metavar="FILE", required=True, help=_("where to write it"))
    encrypt.add_argument(
        "--recipient", metavar="age1...", help=_("the receiver's age key (default: what this unit was told by it)")
    )
    encrypt.add_argument("--server", metavar="URL", help=_("the receiver (default: $AIODIAG_SERVER)"))
    encrypt.set_defaults(run=run_encrypt)
    quick.register(actions, common)


def run_preview(args: argparse.Namespace) -> int:
    """Exit status 0, and what would be replaced, where, how often and by what; nothing is written."""
    from agent.cli.previewing import preview_document, print_preview
    from uploader.submission import Desk

    state = state_directory()
    directory = _chosen_run(state, args.run_id)
    with explained():
        redaction = Desk(state, teller(args.lang)).preview(directory)
    if args.json:
        print_json(preview_document(redaction, directory.name))
    else:
        print_preview(redaction, args.lang)
    return 0


def run_seal(args: argparse.Namespace) -> int:
    """Exit status 0, and the path of the bundle. With RMA and server it goes into the outbox, not yet sent."""
    from agent.journal import read
    from agent.model.run_view import JOURNAL, RunView
    from uploader.submission import Desk

    state = state_directory()
    directory, desk = _chosen_run(state, args.run_id), Desk(state, teller(args.lang))
    if args.rma is not None and not is_rma_number(args.rma):
        raise Problem(Text("{rma} is not an RMA number; it looks like HB26-483920-5", {"rma": args.rma}))
    address = receiver_address(args.server) if args.rma and server_address(args.server) else None
    with explained():
        view = RunView.from_records(read(directory / JOURNAL))
        sealed = desk.seal(directory, directory.name, view, rma=args.rma, nonce=None)
        if address:
            desk.outbox.add(sealed.path, rma=args.rma, server=address)
    if args.json:
        document = {"schema": 1, "bundle": str(sealed.path), "bundle_id": sealed.bundle_id, "sha256": sealed.sha256}
        print_json(document)
    else:
        print(sealed.path)
    return 0


def run_show(args: argparse.Namespace) -> int:
    """What the run in a bundle found; exit status 0, 2 when the bundle is not to be believed."""
    from agent.model.run_view import RunView
    from agent.runner.summary import summary

    with explained(status=2), _open(args.file) as bundle:
        view = RunView.from_records(bundle.journal())
        document = summary(
            view, run_id=bundle.statement.run.run_id, language=args.lang, duration_s=0.0, bundle=str(args.file)
        )
        about = _about(bundle)
    if args.json:
        print_json({**document, **about})
    else:
        from agent.cli.tables import print_bundle

        print_bundle(about, view, args.lang)
    return 0


def run_verify(args: argparse.Namespace) -> int:
    """Exit status 0 when every byte is what the key signed, else 2."""
    with explained(status=2), _open(args.file) as bundle:
        about = _about(bundle)
    if args.json:
        print_json({"schema": 1, "bundle": str(args.file), **about})
    else:
        line = Text("whole, and signed by key {keyid}", {"keyid": about["keyid"]})
        print(f"{args.file}: {render(line, args.lang)}")
    return 0


def run_capture(args: argparse.Namespace) -> int:
    """Exit status 0, and the path of the capture; 2 when the bundle is not to be believed."""
    from dataclasses import replace
    from pathlib import Path

    from agent.diagnose.capture_file import encode
    from agent.diagnose.of_run import of_bundle

    with explained(status=2):
        capture = replace(of_bundle(Path(args.file)), description=args.description)
    try:
        chosen = capture.only(args.area) if args.area else capture
        data = encode(chosen)
    except KeyError as e:
        values = {"area": str(e.args[0]), "known": ", ".join(capture.areas)}
        raise Problem(Text("unknown area {area}; there are: {known}", values)) from e
    except ValueError as e:
        raise Problem(Text("the bundle could not be made a capture: {error}", {"error": str(e)})) from e
    Path(args.output).write_bytes(data)
    if args.json:
        steps = [step.id for step in chosen.steps]
        print_json({"schema": 1, "capture": args.output, "size": len(data), "steps": steps})
    else:
        print(args.output)
    return 0


def _chosen_run(state: Path, run_id: str | None) -> Path:
    """The directory of a run, of the newest where ``run_id`` is ``None``. Raises :class:`Problem`."""
    from agent.journal import RunStore

    store = RunStore(state)
    run_id = run_id or store.latest()
    if run_id is None:
        raise Problem(Text("there is no run yet; start one with: aiodiag selfcheck"))
    try:
        return store.path(run_id)
    except KeyError as e:
        raise Problem(Text("there is no run {run}", {"run": run_id})) from e


def run_encrypt(args: argparse.Namespace) -> int:
    """Exit status 0, and the path of the encrypted bundle; 2 when there is none, and then nothing was written."""
    from pathlib import Path

    from uploader.bundle.encrypt import encrypt

    bundle = existing_file(args.file)
    recipient = args.recipient or _kept_recipient(args.server)
    with explained(status=2):
        encrypt(bundle, Path(args.output), recipient)
    if args.json:
        print_json({"schema": 1, "bundle": args.file, "encrypted": args.output, "recipient": recipient})
    else:
        print(args.output)
    return 0


def _kept_recipient(given: str | None) -> str:
    """The recipient of the receiver that is meant: the one that is named, else the only one that was ever met."""
    told = [pin.recipient for pin in met_receivers(given, state_directory()) if pin.recipient]
    if len(told) != 1:
        several = Text("this unit knows several receivers; say which one with --server URL")
        none = Text("this unit was not told the receiver's age key yet; give it with --recipient")
        raise Problem(several if told else none)
    return told[0]


def _open(file: str) -> VerifiedBundle:
    from uploader.bundle.verify import open_bundle

    return open_bundle(existing_file(file))


def _about(bundle: VerifiedBundle) -> dict[str, Any]:
    run = bundle.statement.run
    return {
        "bundle_id": run.bundle_id,
        "sha256": bundle.sha256,
        "size": bundle.size,
        "rma": run.rma,
        "serial": run.serial,
        "nonce": run.nonce,
        "sequence": run.sequence,
        "keyid": bundle.key.keyid,
        "key_protection": run.key_protection,
        "sealed": run.clocks.wall,
        "synchronised": run.clocks.synchronised,
        "redaction_rules": bundle.manifest.redaction.rules if bundle.manifest.redaction else None,
        "entries": list(bundle.names),
    }
