"""``aiodiag probe``: readings, no verdict."""

from __future__ import annotations

import argparse
from gettext import gettext as _

from agent.cli.commands import Subparsers
from agent.cli.problem import Problem
from agent.cli.streams import print_json
from agent.model import Outcome, Text


def register(subparsers: Subparsers, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    text = _("read the hardware; no verdict")
    parser = subparsers.add_parser("probe", parents=[common], help=text, description=text)
    parser.add_argument("areas", nargs="*", metavar="AREA", help=_("what to read (default: everything)"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print readings, parts and gaps. Exit status 3 when an area gave nothing, else 0."""
    from agent.cli.rights import machine
    from agent.probes import areas
    from agent.runner.identity import probe

    known = areas()
    for area in args.areas:
        if area not in known:
            raise Problem(
                Text("unknown area {area}; there are: {known}", {"area": area, "known": ", ".join(known)}),
            )
    wanted = dict.fromkeys(args.areas) or known
    results = probe(wanted, machine(wanted, args.lang))
    if args.json:
        document = {
            "schema": 1,
            "outcomes": {result.step: result.outcome for result in results},
            "components": [part.to_json() for result in results for part in result.components],
            "readings": [reading.to_json() for result in results for reading in result.readings],
            "not_seen": [{"step": result.step, **gap.to_json()} for result in results for gap in result.gaps],
        }
        print_json(document)
    else:
        from agent.cli.tables import print_probe

        print_probe(results, args.lang)
    return 0 if all(result.outcome is Outcome.PASS for result in results) else 3
