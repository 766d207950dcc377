"""``aiodiag diagnose``: judge evidence that was gathered before, here or on another unit."""

from __future__ import annotations

import argparse
from gettext import gettext as _
from typing import TYPE_CHECKING, Any

from agent.cli.commands import Subparsers
from agent.cli.problem import INCOMPLETE, USAGE, Problem
from agent.cli.streams import print_json, tell
from agent.model import Text
from agent.model.verdict import exit_status
from agent.texts import render

if TYPE_CHECKING:
    from agent.diagnose.diagnosis import Diagnosis


def register(subparsers: Subparsers, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    text = _("judge evidence in files again, by what is known today")
    parser = subparsers.add_parser("diagnose", parents=[common], help=text, description=text)
    parser.add_argument("files", nargs="+", metavar="FILE", help=_("a file with evidence, such as a bundle"))
    parser.add_argument("--kind", metavar="KIND", help=_("what the files are (default: as their content tells)"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Diagnose every file, whatever the others are. Exit status 2 when a file is no input (as with grep, whatever else
    was found), else 1 when a fault was found, else 3 when something could not be judged, else 0.
    """
    from agent.diagnose.files import InputRefused
    from agent.diagnose.inputs import kinds

    if args.kind is not None and args.kind not in kinds():
        values = {"kind": args.kind, "known": ", ".join(kinds())}
        raise Problem(Text("unknown kind {kind}; there are: {known}", values))
    documents: list[dict[str, Any]] = []
    statuses: set[int] = set()
    for file in args.files:
        try:
            statuses.add(_one(file, args, documents))
        except InputRefused as e:
            statuses.add(_refused(file, e.reason, USAGE, args, documents))
        except (KeyboardInterrupt, BrokenPipeError):
            raise
        except Exception as e:  # a file that breaks us must not keep the others from being diagnosed
            reason = Text("the check itself broke: {error}", {"error": f"{type(e).__name__}: {e}"})
            statuses.add(_refused(file, reason, INCOMPLETE, args, documents))
    if args.json:
        print_json(documents)
    return next((status for status in (USAGE, 1, INCOMPLETE) if status in statuses), 0)


def _one(file: str, args: argparse.Namespace, documents: list[dict[str, Any]]) -> int:
    from agent.diagnose.diagnosis import diagnose

    diagnosis = diagnose(file, args.kind)
    if args.json:
        documents.append(_document(diagnosis, args.lang))
    else:
        from agent.cli.tables import print_diagnosis

        print_diagnosis(diagnosis, args.lang)
    return exit_status(diagnosis.view.verdict)


def _document(diagnosis: Diagnosis, language: str) -> dict[str, Any]:
    from agent.runner.summary import summary

    document = summary(
        diagnosis.view,
        run_id=diagnosis.run_id,
        language=language,
        duration_s=diagnosis.duration_s,
        bundle=diagnosis.input if diagnosis.kind == "bundle" else None,
    )
    return {**document, "input": diagnosis.input, "kind": diagnosis.kind, "refused": None}


def _refused(file: str, reason: Text, status: int, args: argparse.Namespace, documents: list[dict[str, Any]]) -> int:
    documents.append({"schema": 1, "input": file, "kind": args.kind, "refused": reason.to_json()})
    tell(Text("{file}: {reason}", {"file": file, "reason": render(reason, args.lang)}), args.lang)
    return status
