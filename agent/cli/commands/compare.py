"""``aiodiag compare``: two runs of one unit, as before and after a repair."""

from __future__ import annotations

import argparse
from gettext import gettext as _

from agent.cli.commands import Subparsers
from agent.cli.problem import Problem, explained
from agent.cli.streams import print_json, tell
from agent.model import Text


def register(subparsers: Subparsers, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    text = _("what changed in a unit between two runs: parts, firmware, counters, findings")
    parser = subparsers.add_parser("compare", parents=[common], help=text, description=text)
    what = _("a run: its id, directory, bundle or capture")
    parser.add_argument("old", metavar="OLD", help=what)
    parser.add_argument("new", metavar="NEW", help=what)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when nothing wrong is new, 1 when a fault is new or a counter grew that means one, 2 when an input
    cannot be read or they are of two units, 3 when either run did not see what it needed.
    """
    from agent.cli.runs import diagnosed
    from agent.compare import DifferentUnits, compare
    from agent.compare.document import document, side

    with explained():
        old, new = diagnosed(args.old), diagnosed(args.new)
    try:
        comparison = compare(old.view, new.view)
    except DifferentUnits as e:
        names = {"old": _name(old.view.unit), "new": _name(new.view.unit)}
        raise Problem(Text("these runs are of two units: {old} and {new}", names)) from e
    if old.view.started > new.view.started:
        tell(Text("the run that was named first is the newer one"), args.lang)
    if args.json:
        was, now = (side(d.view, given=d.input, kind=d.kind, run_id=d.run_id) for d in (old, new))
        print_json(document(comparison, was, now, args.lang))
    else:
        from agent.cli.comparing import print_comparison

        print_comparison(comparison, old, new, args.lang)
    return comparison.exit_status


def _name(unit: dict[str, str]) -> str:
    return " ".join(filter(None, (unit.get("model"), unit.get("serial") or unit.get("uuid")))) or "?"
