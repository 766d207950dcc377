"""The hardware tests: one module per exerciser, found by its presence. A leading underscore is not a test."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from agent.tests_hw._test import Bout, HardwareTest

__all__ = ["Bout", "HardwareTest", "load", "tests"]


@functools.cache
def tests() -> tuple[str, ...]:
    """The names of all hardware tests, sorted; imports none of them."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


def load(name: str) -> HardwareTest:
    """The test ``name``; raises ``KeyError`` when there is none."""
    if name not in tests():
        raise KeyError(name)
    test = importlib.import_module(f"{__name__}.{name}").TEST
    assert isinstance(test, HardwareTest)
    return test
