"""One input file, or one run, diagnosed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from agent.diagnose.capture import Capture
from agent.diagnose.inputs import read
from agent.diagnose.judge import Running, judged
from agent.model.run_view import RunView
from agent.runner.engine import Engine


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``input`` is the file as it was named, ``view`` its run as it is seen today; the records that its findings name
    are those of this diagnosis. ``run_id`` and ``description`` are ``""`` where the input has none. ``duration_s`` is
    how long it took, in seconds.
    """

    input: str
    kind: str
    run_id: str
    description: str
    view: RunView
    duration_s: float


def diagnose(file: str, kind: str | None = None, running: Running = Engine) -> Diagnosis:
    """Interpret and judge what is in a file, of a kind of :func:`agent.diagnose.inputs.kinds` or, with ``None``, of the
    kind that its content tells, with each step in a process of its own or as ``running`` says. Raises
    :class:`agent.diagnose.files.InputRefused` for a file that cannot be judged.
    """
    began = time.monotonic()
    kind, capture = read(Path(file), kind)
    return _diagnosis(file, kind, capture, running, began)


def diagnose_run(path: Path, given: str) -> Diagnosis:
    """Like :func:`diagnose`, of a run directory too (its kind is then ``run``); ``given`` is what the person called it.
    Raises :class:`agent.diagnose.files.InputRefused`.
    """
    from agent.diagnose.of_run import of_run_directory  # here: what reads runs takes long to load, and files need none

    began = time.monotonic()
    kind, capture = ("run", of_run_directory(path)) if path.is_dir() else read(path)
    return _diagnosis(given, kind, capture, Engine, began)


def _diagnosis(given: str, kind: str, capture: Capture, running: Running, began: float) -> Diagnosis:
    view = judged(capture, running)
    return Diagnosis(given, kind, capture.run_id, capture.description, view, time.monotonic() - began)
