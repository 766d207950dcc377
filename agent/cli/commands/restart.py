"""``aiodiag restart``: restart the unit so many times, and look each time whether all came back."""

from __future__ import annotations

import argparse
from gettext import gettext as _

from agent.cli import checking, exercising
from agent.cli.commands import Subparsers
from agent.cli.commands.test import number
from agent.model import Text

TIMES = 15
"""Restarts; FIELD: 15 to 30 for a unit that restarts by itself."""


def register(subparsers: Subparsers, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    text = _("restart the unit so many times, and look each time whether all of it came back")
    parser = subparsers.add_parser("restart", parents=[common], help=text, description=text)
    parser.add_argument("--times", metavar="NUMBER", default=str(TIMES), help=_("how often (default: 15)"))
    parser.add_argument("--symptom", metavar="SYMPTOM", help=_("what is wrong, for example restarts or no-picture"))
    checking.add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Look at the unit, and restart it for the first time; ``aiodiag resume`` does the rest, seals and sends. Exit
    status 3: it is not over when this ends.
    """
    from agent import __version__
    from agent.replay.cycles import PATIENCE, Cycles
    from agent.runner.cycling import CYCLING, cycling, parameters
    from agent.runner.recording import Asked
    from agent.runner.restarting import MOST

    state = Cycles(int(number(args.times, "--times", 1, MOST // PATIENCE)))
    complaint = checking.symptom_named(args.symptom)
    exercising.require_restarts(args.lang)
    unit = checking.identified(args)
    asked = Asked(
        "restarts",
        "restarts",
        __version__,
        (CYCLING,),
        complaint.name if complaint else None,
        args.rma,
        args.lang,
        args.command_line,
        unit,
        {**parameters(state, complaint), "server": args.server},
    )
    values: dict[str, str | int | float] = {"times": state.times}
    exercising.say(Text("restarting the unit {times} times; this goes on by itself each time", values), args.lang)
    with exercising.run(args, unit) as under_way:
        cycling(
            asked,
            under_way.journal,
            under_way.host,
            state,
            restarter=under_way.restarter,
            observers=under_way.observers,
        )
        under_way.finish()
    return exercising.tell_cycles(args, under_way, state)
