"""``aiodiag doctor``: which programs, rights and sensors this machine has or lacks, and how to get them."""

from __future__ import annotations

import argparse
import os
from gettext import gettext as _

from agent.cli.commands import Subparsers
from agent.cli.streams import print_json


def register(subparsers: Subparsers, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    text = _("what this machine lets the agent see, and how to see more")
    subparsers.add_parser("doctor", parents=[common], help=text, description=text).set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print programs, rights and areas. Always exit status 0: lacking something is no fault of the unit."""
    from agent.host import Host
    from agent.probes import areas
    from agent.runner.identity import probe
    from agent.tools import PROGRAMS

    installed = {
        name: next((p for p in program.paths if os.path.exists(p)), None) for name, program in PROGRAMS.items()
    }
    results = probe(areas(), Host())
    if args.json:
        document = {
            "schema": 1,
            "root": os.geteuid() == 0,
            "programs": {
                name: {"path": path, "package": PROGRAMS[name].package, "purpose": PROGRAMS[name].purpose}
                for name, path in installed.items()
            },
            "areas": {result.step: result.outcome for result in results},
            "not_seen": [{"step": result.step, **gap.to_json()} for result in results for gap in result.gaps],
        }
        print_json(document)
    else:
        from agent.cli.tables import print_doctor

        print_doctor(installed, results, args.lang)
    return 0
