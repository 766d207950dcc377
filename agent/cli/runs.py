"""A run as it is named on the command line: by its id, its directory, its bundle, or a capture of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agent.cli.problem import Problem
from agent.cli.settings import state_directory
from agent.model import Text

if TYPE_CHECKING:
    from pathlib import Path

    from agent.diagnose.diagnosis import Diagnosis


def diagnosed(given: str) -> Diagnosis:
    """The run, as it is seen today. Raises :class:`Problem` where there is none, and
    :class:`agent.diagnose.files.InputRefused` where it cannot be read.
    """
    from agent.diagnose.diagnosis import diagnose_run

    return diagnose_run(_path(given), given)


def rounds_of(given: str) -> tuple[Mapping[str, Any], ...]:
    """The rounds of a reproduction or verification, as its journal has them; none of a run that is something else, or
    of a capture. Raises like :func:`diagnosed`.
    """
    from zipfile import is_zipfile

    from agent.journal import read
    from agent.model.run_view import JOURNAL, RunView
    from uploader.bundle.verify import open_bundle

    path = _path(given)
    if path.is_dir():
        view = RunView.from_records(read(path / JOURNAL))
    elif is_zipfile(path):
        with open_bundle(path) as bundle:
            view = RunView.from_records(bundle.journal())
    else:
        return ()
    return tuple(step.round for step in view.steps.values() if step.round)


def _path(given: str) -> Path:
    from pathlib import Path

    from agent.journal import RunStore

    path = Path(given)
    if not path.exists():
        try:
            path = RunStore(state_directory()).path(given)
        except KeyError as e:
            raise Problem(Text("there is no run, directory or file {path}", {"path": given})) from e
    return path
