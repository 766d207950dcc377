"""Many units that send at one moment, from processes of their own: they take nothing from whoever measures."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

from tests.sending_unit import SendingUnit
from uploader.http import ReceiverError

PROCESSES = 4
TRIES = 20
"""How often a unit is sent off again, as its owner would do it, before it counts as one that cannot be helped."""


class Crowd:
    """``units``, in several processes."""

    def __init__(self, units: Sequence[SendingUnit], pool: ProcessPoolExecutor) -> None:
        self._shares = [units[first::PROCESSES] for first in range(PROCESSES)]
        self._pool = pool

    def prepare(self, size: int) -> None:
        """Every unit has a sealed bundle with a picture of ``size`` bytes."""
        for _ in self._pool.map(_prepare, self._shares, [size] * PROCESSES):
            pass

    def send(self) -> list[int]:
        """All of them at once, until they are delivered; gives how many calls of ``send`` each took."""
        at = time.monotonic() + 2
        return [tries for share in self._pool.map(_send, self._shares, [at] * PROCESSES) for tries in share]


@contextmanager
def crowd(units: Sequence[SendingUnit]) -> Iterator[Crowd]:
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        yield Crowd(units, pool)


def _prepare(units: Sequence[SendingUnit], size: int) -> None:
    for unit in units:
        unit.prepare(size)


def _send(units: Sequence[SendingUnit], at: float) -> list[int]:
    together = threading.Barrier(len(units) or 1)

    def deliver(unit: SendingUnit) -> int:
        together.wait()
        time.sleep(max(0.0, at - time.monotonic()))
        for tries in range(1, TRIES):
            try:
                unit.send()
            except ReceiverError as error:
                print(f"{unit.case.serial}: {error}", flush=True)
                time.sleep(1)
            else:
                return tries
        unit.send()
        return TRIES

    with ThreadPoolExecutor(len(units) or 1) as threads:
        return list(threads.map(deliver, units))
