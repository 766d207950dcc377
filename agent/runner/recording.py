"""The frame of a run: its first record says who asked for what, its last one what came of it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from agent import __version__
from agent.host import now
from agent.journal import Journal, JournalError, read
from agent.model import Evidence, Outcome, Text, ocp
from agent.model.run_view import JOURNAL, RunView
from agent.runner.engine import Engine, Observer
from agent.runner.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to know. ``kind`` is the command that walks it; ``unit`` is the identity as
    :func:`agent.runner.identity.identify` gives it; ``needed`` are the steps without which there is no verdict;
    ``parameters`` what else was asked for (strict JSON).
    """

    kind: str
    plan: str
    plan_version: str
    needed: tuple[str, ...]
    symptom: str | None
    rma: str | None
    language: str
    command_line: str
    unit: Mapping[str, str]
    parameters: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def recorded(asked: Asked, journal: Journal, observers: Iterable[Observer] = ()) -> Iterator[Engine]:
    """An engine whose steps are the run's. The run is closed when the block ends; as not complete when that raised,
    where its steps' ends and its own can still be written.
    """
    journal.append(_start(asked))
    with walked(journal, observers) as engine:
        yield engine


@contextmanager
def walked(journal: Journal, observers: Iterable[Observer] = ()) -> Iterator[Engine]:
    """Like :func:`recorded`, of a run that has begun before."""
    engine = Engine([Recorder(journal), *observers])
    try:
        yield engine
    except BaseException:
        if not journal.open_steps:  # else the next check closes them, and the run after them
            with contextlib.suppress(JournalError):
                _end(journal, complete=False)
        raise
    _end(journal, complete=True)


def conclude(
    journal: Journal, step: str, outcome: Outcome, reason: Text | None, document: Mapping[str, Any] | None = None
) -> None:
    """A step that says what came of the whole run; with the ``document`` that it made (strict JSON), as evidence of
    that kind.
    """
    journal.append(ocp.step_start(step, step))
    if document is not None:
        data = json.dumps(document, ensure_ascii=False, indent=1).encode()
        journal.attach(step, Evidence(f"{document['kind']}-json", "", data, "aiodiag", now()))
    journal.append(*ocp.step_end(step, outcome, reason, time.monotonic(), 0.0))
    journal.sync()


def _start(asked: Asked) -> ocp.Artifact:
    parameters = {
        "kind": asked.kind,
        "plan": asked.plan,
        "symptom": asked.symptom,
        "rma": asked.rma,
        "language": asked.language,
        "needed": list(asked.needed),
        **asked.parameters,
    }
    metadata = {
        "boot_id": boot_id(),
        "monotonic_s": round(time.monotonic(), 3),
        "boottime_s": round(time.clock_gettime(time.CLOCK_BOOTTIME), 3),
        "plan_version": asked.plan_version,
    }
    return ocp.run_start(
        version=__version__,
        command_line=asked.command_line,
        parameters=parameters,
        unit=asked.unit,
        components=[],
        metadata=metadata,
    )


def _end(journal: Journal, *, complete: bool) -> None:
    journal.settle()  # so that a run that has its end on disk has all its evidence there too
    verdict = RunView.from_records(read(journal.directory / JOURNAL)).verdict
    journal.append(ocp.run_end(verdict, complete=complete))
    journal.sync()


def boot_id() -> str:
    """The kernel's id of this boot; ``""`` where it tells none."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
