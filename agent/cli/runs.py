"""A run as it is named on the command line: by its id, its directory, its bundle, or a capture of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.cli.problem import Problem
from agent.cli.settings import state_directory
from agent.model import Text

if TYPE_CHECKING:
    from agent.diagnose.diagnosis import Diagnosis


def diagnosed(given: str) -> Diagnosis:
    """The run, as it is seen today. Raises :class:`Problem` where there is none, and
    :class:`agent.diagnose.files.InputRefused` where it cannot be read.
    """
    from pathlib import Path

    from agent.diagnose.diagnosis import diagnose_run
    from agent.journal import RunStore

    path = Path(given)
    if not path.exists():
        try:
            path = RunStore(state_directory()).path(given)
        except KeyError as e:
            raise Problem(Text("there is no run, directory or file {path}", {"path": given})) from e
    return diagnose_run(path, given)
