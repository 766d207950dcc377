"""``aiodiag``: reads the arguments, hands over to one command, and turns what goes wrong into one line."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from gettext import gettext as _
from typing import NoReturn

from agent import __version__
from agent.cli.problem import INCOMPLETE, STOPPED, Problem
from agent.cli.streams import release, settle, tell
from agent.model import Text
from agent.texts import LANGUAGES, language_of, language_of_environment, speak

COMMANDS = (
    "unit",
    "probe",
    "selfcheck",
    "test",
    "replay",
    "verify",
    "restart",
    "resume",
    "diagnose",
    "compare",
    "profile",
    "doctor",
    "bundle",
    "upload",
    "link",
    "outbox",
)
"""Modules of ``agent.cli.commands``, in the order of the help."""


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        raise Problem(Text("{message} (see: {command} --help)", {"message": message, "command": self.prog}))


def parser(commands: Iterable[str] = COMMANDS) -> argparse.ArgumentParser:
    """The command line, in the language that the process speaks."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help=_("print one JSON document instead of text"))
    common.add_argument("--lang", metavar="LANG", help=_("en, es or zh_Hant (default: as the environment says)"))
    top = _Parser(prog="aiodiag", description=_("Checks this all-in-one PC and sends the evidence to its RMA case."))
    top.add_argument("--version", action="version", version=f"aiodiag {__version__}")
    # With `prog`, which argparse would else learn by formatting a usage, and load a good deal for that.
    subparsers = top.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=_Parser, prog=top.prog
    )
    for command in commands:
        importlib.import_module(f"agent.cli.commands.{command}").register(subparsers, common)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0 nothing wrong found, 1 a fault was found, 2 usage or bad input,
    3 could not be judged or done, 130 stopped by the person.
    """
    _stop_like_ctrl_c(signal.SIGTERM, signal.SIGHUP)
    settle()
    arguments = list(sys.argv[1:] if argv is None else argv)
    language = language_of_environment()
    try:
        language = _language(_asked_for(arguments)) or language
        speak(language)
        # A command that is named is the only one to load; help, and the complaint about a wrong one, name them all.
        named = [command for command in COMMANDS if command in arguments[:1]]
        args = parser(named or COMMANDS).parse_args(arguments)
        args.lang = language
        args.command_line = " ".join(["aiodiag", *arguments])
        return _run(args)
    except Problem as e:
        tell(e.text, language)
        return e.status
    except KeyboardInterrupt:
        tell(Text("stopped; what was found so far is kept"), language)
        return STOPPED
    except BrokenPipeError:
        return INCOMPLETE  # whoever read it went away (a pager, head): nothing is left to say
    except OSError as e:
        values = {"error": e.strerror or str(e), "file": str(e.filename or "")}
        tell(Text("the system refused: {error} {file}", values), language)
        return INCOMPLETE
    except Exception as e:  # Python's own exit status would be 1, which says that the unit has a fault
        import traceback

        last = traceback.extract_tb(e.__traceback__)[-1]
        where = f"{os.path.basename(last.filename)}:{last.lineno}"
        tell(Text("the check itself broke"), language, f"({type(e).__name__}: {e}, {where})")
        return INCOMPLETE
    finally:
        release()


def _stop_like_ctrl_c(*signals: signal.Signals) -> None:
    """Have these end the agent as Ctrl-C does, with the journal closed; one that ``nohup`` ignores stays ignored."""
    for number in signals:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def _run(args: argparse.Namespace) -> int:
    """Run the command; what it prints has reached its reader when this returns."""
    status = int(args.run(args))
    sys.stdout.flush()
    return status


def _asked_for(arguments: Sequence[str]) -> str | None:
    """What ``--lang`` says; read ahead of the parser, whose own words depend on it."""
    for index, argument in enumerate(arguments):
        if argument == "--lang" and index + 1 < len(arguments):
            return arguments[index + 1]
        if argument.startswith("--lang="):
            return argument.partition("=")[2]
    return None


def _language(tag: str | None) -> str | None:
    if tag is None:
        return None
    language = language_of(tag)
    if language is None:
        values = {"language": tag, "known": ", ".join(LANGUAGES)}
        raise Problem(Text("unknown language {language}; there are: {known}", values))
    return language


if __name__ == "__main__":
    sys.exit(main())
