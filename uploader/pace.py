"""How much of a bundle is sent at a time, and how fast.

A part counts when all of it has arrived and its checksum was right: one that the line breaks under is lost, and each
costs both sides a turn. So a part is as large as some seconds bring over this line, whatever line it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO

PART_S = 5.0
"""Seconds that a part should take: so much is lost at most, and so often a person sees that it goes on; ours."""
FIRST = 512 << 10
"""Bytes of the first part, of which nobody knows how long it will take; ours: 4 s at 1 Mbit/s."""
LEAST, MOST = 64 << 10, 32 << 20
"""Bytes; a part is held in memory. Ours."""
GROWTH, CAREFUL_GROWTH = 4.0, 1.25
"""How much larger than the last a part is at most, and after the line broke once; ours, after TCP's slow start and
congestion avoidance (RFC 5681).
"""
LEAST_RATE = 10_000
"""Bytes a second below which neither side waits; ours."""

_CREDIT_S = 0.5
"""Seconds of silence that are made up for by sending faster; ours."""


class Pace:
    """Of one transfer. ``rate``, bytes a second (:data:`LEAST_RATE` or more), is not gone beyond on average."""

    def __init__(self, rate: int | None = None) -> None:
        self.part = FIRST
        """Bytes to send next."""
        self._growth = GROWTH
        self._rate = rate
        self._due = time.monotonic()

    def arrived(self, size: int, seconds: float) -> None:
        """A part of ``size`` bytes took so many ``seconds``, until the answer was there."""
        in_time = PART_S * size / max(seconds, 1e-3)
        self.part = int(min(MOST, max(LEAST, min(in_time, self._growth * self.part))))

    def broke(self) -> None:
        """A part did not arrive whole."""
        self.part = max(LEAST, self.part // 2)
        self._growth = CAREFUL_GROWTH

    def body(self, part: bytes, told: Callable[[int], None] | None = None) -> BytesIO:
        """A file with the part, out of which a reader gets no more in a second than may be sent in one. ``told`` is
        called, in the reader's thread, with the bytes that it has got so far.
        """
        return _Body(part, self, told)

    def wait_for(self, size: int) -> None:
        """Wait until so many bytes may be sent."""
        if self._rate is None:
            return
        now = time.monotonic()
        self._due = max(self._due, now - _CREDIT_S)
        if self._due > now:
            time.sleep(self._due - now)
        self._due += size / self._rate


class _Body(BytesIO):
    """Waits before it gives anything. Whoever sends it asks for a small block at a time (16 KiB; http.client)."""

    def __init__(self, part: bytes, pace: Pace, told: Callable[[int], None] | None) -> None:
        super().__init__(part)
        self._pace = pace
        self._told = told

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file; what is asked for in one piece comes in one piece."""
        block = super().read(size)
        if block:
            self._pace.wait_for(len(block))
            if self._told:
                self._told(self.tell())
        return block
