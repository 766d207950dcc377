"""Diagnoses many files side by side on all cores. One that hangs, eats memory or kills its process costs no other one
its answer.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import NamedTuple, TypeVar

from agent.diagnose.diagnosis import Diagnosis, diagnose
from agent.diagnose.files import InputRefused
from agent.diagnose.in_place import InPlace
from agent.diagnose.judge import Running
from agent.model import Text
from agent.runner.engine import Engine

T = TypeVar("T")

MEMORY_CAP = 2 << 30
"""Bytes of address space of one process; ours, ten times what the largest captures take."""
AT_ONCE_S = 120.0
"""Seconds for files that were handed over together, with all their steps in one process; ours. A step that hangs is
ended long before."""
ISOLATED_S = 120.0
"""Seconds for a file that needed a process for each step; ours."""
TASKS_MOST = 200
"""Lots after which a process is replaced by a new one, so that what a library loses does not add up; ours."""
TOGETHER_MOST = 16
"""Files that are handed over at once; ours. One by one, handing over takes a fifth of the time."""
AHEAD = 4
"""Such lots per core that wait for their turn; ours. More would only keep their answers in memory."""


class Refused(NamedTuple):
    """A file without a diagnosis. ``broke`` says that the diagnosis itself broke, whatever was tried; otherwise the
    file is no input.
    """

    reason: Text
    broke: bool = False


def diagnoses(
    files: Sequence[str], told: Callable[[Diagnosis], T], kind: str | None = None
) -> Iterator[tuple[str, T | Refused]]:
    """Diagnose every file, as :func:`agent.diagnose.diagnosis.diagnose`, and give each with what ``told`` makes of its
    diagnosis, in their order. ``told`` is called where the file was diagnosed: what it returns is all that has to be
    brought over. Left early, it ends its processes.
    """
    from pebble import ProcessPool

    cores = max(1, len(os.sched_getaffinity(0)))
    together = min(TOGETHER_MOST, 1 + len(files) // (AHEAD * cores))
    lots = [files[first : first + together] for first in range(0, len(files), together)]
    context = multiprocessing.get_context("fork")
    pool = ProcessPool(min(cores, len(lots)), TASKS_MOST, _bound_memory, context=context)

    def alone(file: str) -> T | Refused:
        try:
            return pool.schedule(_diagnosed, ([file], kind, told, Engine), timeout=ISOLATED_S).result()[0]
        except Exception as e:
            error = f"{type(e).__name__}: {e}"
            return Refused(Text("the check itself broke: {error}", {"error": error}), broke=True)

    def answers(lot: Sequence[str], first: Future[list[T | Refused]]) -> Iterator[tuple[str, T | Refused]]:
        try:
            found = first.result()
        except Exception:  # their process died or was ended: each once more, with a process for each of its steps
            found = [alone(file) for file in lot]
        yield from zip(lot, found, strict=True)

    waiting: deque[tuple[Sequence[str], Future[list[T | Refused]]]] = deque()
    try:
        for lot in lots:
            waiting.append((lot, pool.schedule(_diagnosed, (lot, kind, told, InPlace), timeout=AT_ONCE_S)))
            if len(waiting) >= AHEAD * cores:
                yield from answers(*waiting.popleft())
        while waiting:
            yield from answers(*waiting.popleft())
        pool.close()
    except BaseException:
        pool.stop()
        raise
    finally:
        pool.join()


def _diagnosed(
    files: Sequence[str], kind: str | None, told: Callable[[Diagnosis], T], running: Running
) -> list[T | Refused]:
    def answer(file: str) -> T | Refused:
        try:
            return told(diagnose(file, kind, running))
        except InputRefused as e:
            return Refused(e.reason)

    return [answer(file) for file in files]


def _bound_memory() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    cap = MEMORY_CAP if hard == resource.RLIM_INFINITY else min(MEMORY_CAP, hard)
    resource.setrlimit(resource.RLIMIT_AS, (cap, hard))
