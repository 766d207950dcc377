"""``aiodiag resume``: go on with what was under way after a restart."""

from __future__ import annotations

import argparse
from gettext import gettext as _

from agent.cli import exercising
from agent.cli.commands import Subparsers
from agent.cli.problem import INCOMPLETE, Problem, explained
from agent.cli.settings import state_directory
from agent.model import Text


def register(subparsers: Subparsers, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    text = _("go on with a reproduction or verification after a restart")
    parser = subparsers.add_parser("resume", parents=[common], help=text, description=text)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Go on, seal, send. Exit status as of the command that began it; 0 where nothing waits."""
    from agent.journal import RunStore
    from agent.replay.cycles import Cycles
    from agent.replay.verification import Verification
    from agent.runner.resuming import reopen, resumable

    waiting = resumable(RunStore(state_directory()))
    if waiting is None:
        exercising.forget()
        exercising.say(Text("nothing was under way"), args.lang)
        return 0
    told = waiting.view.parameters
    args.rma, args.server = told.get("rma"), told.get("server")
    try:
        with explained():
            resumed = reopen(waiting)
    except (KeyError, TypeError, ValueError) as e:
        raise Problem(Text("{path} does not say how to go on", {"path": str(waiting.run)}), INCOMPLETE) from e
    with exercising.going_on(args, waiting, resumed.journal) as under_way:
        tell, restarter = under_way.teller(resumed.state), under_way.restarter
        made = resumed.walk(under_way.host, tell, under_way.observers, restarter=restarter)
        under_way.finish()
    if isinstance(resumed.state, Cycles):
        return exercising.tell_cycles(args, under_way, resumed.state)
    if isinstance(resumed.state, Verification):
        assert isinstance(made, dict)
        return exercising.tell_verification(args, under_way, resumed.state, made)
    assert not isinstance(made, dict)
    return exercising.tell_reproduction(args, under_way, resumed.state, made)
