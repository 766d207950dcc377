"""Rates: how often one address, or anybody for one case, may do something. Counted in memory.

A receiver is one process on its data directory (it holds a lock on it), so memory is where all requests meet; a restart
forgets the counts, which gives nobody more than one burst. The library ``limits`` was looked at: its memory grows with
the number of addresses, it runs by the wall clock alone, and its moving window keeps every single hit.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

from server_stub.limits.table import RATES, REMEMBERED, Rate
from server_stub.problems import Problem


class Limits:
    """The generic cell rate algorithm (ITU-T I.371, annex A): one number for each address or case, the time at which
    its bucket is full again.

    At most ``remembered`` of them are kept, those that were asked for last. Whoever makes the receiver forget a count
    needs so many other addresses (an IPv6 network of 64 bits is one), and had a burst for each of them anyway.
    """

    def __init__(
        self,
        rates: Mapping[str, Rate] = RATES,
        clock: Callable[[], float] = time.monotonic,
        remembered: int = REMEMBERED,
    ) -> None:
        self._rates = rates
        self._clock = clock
        self._remembered = remembered
        self._full_at: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many addresses and cases are remembered."""
        return len(self._full_at)

    def spend(self, name: str, whose: str) -> None:
        """Count one; raises :class:`Problem` (``too-many-requests``), and then nothing was counted."""
        with self._lock:
            wait = self._wait(name, whose, 1)
            if wait > 0:
                raise too_many(wait)
            self._add(name, whose, 1)

    def give_back(self, name: str, whose: str) -> None:
        """It was none of those that count, after all."""
        with self._lock:
            self._add(name, whose, -1)

    def check(self, name: str, whose: str) -> None:
        """Raises :class:`Problem` (``too-many-requests``) when more was charged than there was."""
        with self._lock:
            wait = self._wait(name, whose, 0)
        if wait > 0:
            raise too_many(wait)

    def charge(self, name: str, whose: str, amount: int) -> None:
        """Count what was known only when it was done."""
        with self._lock:
            self._add(name, whose, amount)

    def _wait(self, name: str, whose: str, amount: int) -> float:
        """Seconds until there is room for so much more, to the microsecond: less is what sums of floats leave over."""
        rate, now = self._rates[name], self._clock()
        full_at = max(self._full_at.get((name, whose), now), now)
        return round(full_at - now + (amount - rate.burst) * rate.every_s, 6)

    def _add(self, name: str, whose: str, amount: int) -> None:
        now = self._clock()
        full_at = max(self._full_at.get((name, whose), now), now) + amount * self._rates[name].every_s
        self._full_at[name, whose] = full_at
        self._full_at.move_to_end((name, whose))
        while len(self._full_at) > self._remembered:
            self._full_at.popitem(last=False)


def too_many(wait_s: float) -> Problem:
    """Try again, but not yet."""
    seconds = max(1, math.ceil(wait_s))
    return Problem(
        "too-many-requests",
        f"Too much was asked from this address or for this case. Try again in {seconds} s.",
        headers={"Retry-After": str(seconds)},
    )
