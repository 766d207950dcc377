"""The probes: one module per area, found by its presence. Modules with a leading underscore are not areas."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from agent.probes._probe import Probe


@functools.cache
def areas() -> tuple[str, ...]:
    """The names of all areas, sorted; imports none of them."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


def load(area: str) -> Probe:
    """The probe of ``area``; raises ``KeyError`` when there is none."""
    if area not in areas():
        raise KeyError(area)
    probe = importlib.import_module(f"{__name__}.{area}").PROBE
    assert isinstance(probe, Probe)
    return probe
