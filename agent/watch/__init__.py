"""The watchers: one module each, found by its presence. A leading underscore is not a watcher: ``_heat`` is the guard
that stops a test, ``_lookout`` how long is watched.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil

from agent.watch._lookout import LOOKING_WITHIN_S as LOOKING_WITHIN_S
from agent.watch._lookout import Exercise as Exercise
from agent.watch._lookout import for_seconds as for_seconds
from agent.watch._watcher import Watcher


@functools.cache
def watchers() -> tuple[str, ...]:
    """The names of all watchers, sorted; imports none of them."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


def load(name: str) -> Watcher:
    """The watcher ``name``; raises ``KeyError`` when there is none."""
    if name not in watchers():
        raise KeyError(name)
    watcher = importlib.import_module(f"{__name__}.{name}").WATCHER
    assert isinstance(watcher, Watcher)
    return watcher
