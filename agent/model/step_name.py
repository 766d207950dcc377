"""The names of steps: ``probe.AREA``, ``test.NAME``, ``watch.NAME``, ``rules``; those of a round begin with its number.

A round of a reproduction or verification has ``3.1.test.memory`` (bout 1 of round 3) and ``3.rules``, then
``3.left.probe.mce`` and ``3.left.rules``, and ``3.round``, which is open all the while; after the unit went down in it
``3.down`` and ``3.down.probe.mce``. A round that restarts the unit has ``3.restart``, open from before the restart
until the unit has been looked at, with ``3.1.probe.mce`` (the first time that the run went on). After the rounds of a
verification there is ``regression.probe.mce``.
"""

from __future__ import annotations

import re

_ROUND = re.compile(r"(?:(\d+)\.(?:(?:\d+|left|down)\.)?|regression\.)(?=[a-z])")
_CONCLUDE = re.compile(r"(?:rules|round|down|restart|restarts|reproduction|verification|resume\.\d+)")


def round_of(step: str) -> int | None:
    """The number of the round that a step belongs to; ``None`` where it is none's."""
    match = _ROUND.match(step)
    return int(match[1]) if match and match[1] else None


def plain(step: str) -> str:
    """What a step is called apart from its round."""
    match = _ROUND.match(step)
    return step[match.end() :] if match else step


def concludes(step: str) -> bool:
    """Whether a step gathers nothing of its own and says what follows from others."""
    return _CONCLUDE.fullmatch(plain(step)) is not None
