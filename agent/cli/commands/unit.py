"""``aiodiag unit``: who am I."""

from __future__ import annotations

import argparse
from gettext import gettext as _

from agent.cli.commands import Subparsers
from agent.cli.streams import print_json


def register(subparsers: Subparsers, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    text = _("serial number, model, board and parts of this unit")
    subparsers.add_parser("unit", parents=[common], help=text, description=text).set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the identity and the parts. Exit status 0 with a serial number, 3 without."""
    from agent.cli import plain
    from agent.cli.rights import machine
    from agent.runner.identity import from_probe, parts

    results = parts(machine(("unit", "memory"), args.lang))
    unit = next(from_probe(result) for result in results if result.step == "probe.unit")
    components = [part for result in results for part in result.components]
    # Gaps that are about health are none of the question; one that a command would close is worth saying.
    gaps = [(r.step, gap) for r in results for gap in r.gaps if gap.remedy or r.step == "probe.unit"]
    if args.json:
        document = {
            "schema": 1,
            "unit": unit,
            "components": [part.to_json() for part in components],
            "not_seen": [{"step": step, **gap.to_json()} for step, gap in gaps],
        }
        print_json(document)
    else:
        plain.print_unit(unit, components, gaps, args.lang)
    return 0 if unit.get("serial") else 3
