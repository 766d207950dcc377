"""How long is watched: from before hardware is exercised until after it, however long that takes.

An exercise begins when every watcher looks, because many a fault strikes in the moment that the load comes, and it is
watched to its end, because a drive that hangs is given up long after the test should have been over.
"""

from __future__ import annotations

import math
import mmap
import time

LOOKING_WITHIN_S = 5.0
"""Seconds that an exercise waits for its watchers; they need some 20 ms each, more on a busy unit. Ours."""

_BYTES = 64
_POLL_S = 0.1
"""Seconds between two looks at whether it is over; ours."""


class Exercise:
    """What is watched: one exerciser or several, side by side. Its processes, and those of the watchers, must be forked
    from the one that made it: a page of memory is shared among them.
    """

    def __init__(self, least_s: float) -> None:
        self._least_s = least_s
        self._page = mmap.mmap(-1, _BYTES)  # how many exercisers are not over yet, then whether each watcher looks
        self._watchers = 0

    def exerciser(self) -> None:
        """There is one more, which is over when :meth:`ended` is called."""
        self._page[0] += 1

    def ended(self) -> None:
        """An exerciser is over. To be called in the process that made this."""
        self._page[0] -= 1

    def lookout(self) -> Lookout:
        """A place for one more watcher. Raises ``IndexError`` beyond 63."""
        self._watchers += 1
        self._page[self._watchers] = 0
        return Lookout(self._page, self._watchers, self._least_s)

    def await_watchers(self) -> None:
        """Wait until all of them look, but not for one that takes too long over it."""
        limit = time.monotonic() + LOOKING_WITHIN_S
        while 0 in self._page[1 : self._watchers + 1] and time.monotonic() < limit:
            time.sleep(0.005)


class Lookout:
    """A watcher's view of the exercise: for ``least_s`` seconds since :meth:`begin`, and until all exercisers are over.
    With none, as where somebody only looks, it is these seconds.
    """

    def __init__(self, page: mmap.mmap, place: int, least_s: float) -> None:
        self._page = page
        self._place = place
        self._least_s = least_s
        self._begun = time.monotonic()

    def begin(self) -> None:
        """From now on nothing is missed; called after the first look."""
        self._begun = time.monotonic()
        self.present()

    def present(self) -> None:
        """Nobody needs to wait for this watcher (any more): it looks, or has nothing to look at."""
        self._page[self._place] = 1

    @property
    def passed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._begun

    def goes_on(self) -> bool:
        """Whether there is still something to watch."""
        return self._page[0] > 0 or self.passed < self._least_s

    def pause(self, seconds: float = math.inf) -> None:
        """Sleep for so many seconds, or until all is over."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and self.goes_on():
            rest = left if self._page[0] else min(left, self._least_s - self.passed)
            time.sleep(max(0.0, min(rest, _POLL_S)))


def for_seconds(seconds: float) -> Lookout:
    """For somebody who only looks: nothing is exercised, and nobody waits."""
    return Exercise(seconds).lookout()
