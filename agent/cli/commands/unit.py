"""``aiodiag unit``: who am I."""

from __future__ import annotations

import argparse
import json
from gettext import gettext as _

from agent.cli.commands import Subparsers


def register(subparsers: Subparsers, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    text = _("serial number, model, board and parts of this unit")
    subparsers.add_parser("unit", parents=[common], help=text, description=text).set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the identity and the parts. Exit status 0 with a serial number, 3 without."""
    from agent.cli import plain
    from agent.probes._host import Host
    from agent.runner.identity import INVENTORY, from_probe, probe

    results = {result.step: result for result in probe(INVENTORY, Host())}
    unit = from_probe(results["probe.unit"])
    parts = [part for result in results.values() for part in result.components]
    gaps = [(result.step, gap) for result in results.values() for gap in result.gaps]
    if args.json:
        document = {
            "schema": 1,
            "unit": unit,
            "components": [part.to_json() for part in parts],
            "not_seen": [{"step": step, **gap.to_json()} for step, gap in gaps],
        }
        print(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        plain.print_unit(unit, parts, gaps, args.lang)
    return 0 if unit.get("serial") else 3
