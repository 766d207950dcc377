"""``aiodiag diagnose``: judge evidence that was gathered before, here or on another unit."""

from __future__ import annotations

import argparse
import functools
from gettext import gettext as _
from typing import TYPE_CHECKING, Any

from agent.cli.commands import Subparsers
from agent.cli.problem import INCOMPLETE, USAGE, Problem
from agent.cli.streams import print_json, tell
from agent.model import RunVerdict, Text
from agent.model.verdict import exit_status
from agent.texts import render

if TYPE_CHECKING:
    from agent.diagnose.diagnosis import Diagnosis
    from agent.diagnose.pool import Refused


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
    from agent.diagnose.inputs import kinds
    from agent.diagnose.pool import Refused, diagnoses

    if not args.json:
        from agent.cli.tables import print_diagnosis

    if args.kind is not None and args.kind not in kinds():
        values = {"kind": args.kind, "known": ", ".join(kinds())}
        raise Problem(Text("unknown kind {kind}; there are: {known}", values))
    documents: list[dict[str, Any]] = []
    statuses: set[int] = set()
    told = functools.partial(_document, language=args.lang) if args.json else _whole
    for file, answer in diagnoses(args.files, told, args.kind):
        if isinstance(answer, Refused):
            statuses.add(INCOMPLETE if answer.broke else USAGE)
            documents.append(_refused(file, answer, args))
        elif isinstance(answer, dict):
            statuses.add(exit_status(RunVerdict(answer["verdict"])))
            documents.append(answer)
        else:
            statuses.add(exit_status(answer.view.verdict))
            print_diagnosis(answer, args.lang)
    if args.json:
        print_json(documents)
    return next((status for status in (USAGE, 1, INCOMPLETE) if status in statuses), 0)


def _whole(diagnosis: Diagnosis) -> Diagnosis | dict[str, Any]:
    return diagnosis


def _document(diagnosis: Diagnosis, language: str) -> Diagnosis | dict[str, Any]:
    from agent.runner.summary import summary

    document = summary(
        diagnosis.view,
        run_id=diagnosis.run_id,
        language=language,
        duration_s=diagnosis.duration_s,
        bundle=diagnosis.input if diagnosis.kind == "bundle" else None,
    )
    return {**document, "input": diagnosis.input, "kind": diagnosis.kind, "refused": None}


def _refused(file: str, refused: Refused, args: argparse.Namespace) -> dict[str, Any]:
    tell(Text("{file}: {reason}", {"file": file, "reason": render(refused.reason, args.lang)}), args.lang)
    return {"schema": 1, "input": file, "kind": args.kind, "refused": refused.reason.to_json()}
