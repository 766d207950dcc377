"""The rules: pure functions from readings to findings. One module per area, found by its presence."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from agent.model import Finding, Reading, Readings
from agent.rules._exercised import Exercised

__all__ = ["Exercised", "Judge", "Rule", "apply", "rule", "rules"]

Judge = Callable[[Readings], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A registered rule: its name, the catalogue codes that it may give, the function."""

    name: str
    codes: tuple[str, ...]
    judge: Judge


_RULES: dict[str, Rule] = {}


def rule(*codes: str) -> Callable[[Judge], Judge]:
    """Register a function as a rule that gives findings of ``codes`` only.

    The function is pure, takes the readings of a run and gives nothing where the readings it needs are absent: silence
    is never a pass. Its docstring states what it concludes and why; thresholds come from the catalogue.
    """

    def register(judge: Judge) -> Judge:
        name = f"{judge.__module__.rpartition('.')[2]}.{judge.__name__}"
        if name in _RULES:
            raise ValueError(f"two rules named {name}")
        _RULES[name] = Rule(name, codes, judge)
        return judge

    return register


@functools.cache
def rules() -> tuple[Rule, ...]:
    """All rules, by name."""
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            importlib.import_module(f"{__name__}.{module.name}")
    return tuple(_RULES[name] for name in sorted(_RULES))


def apply(readings: Iterable[Reading]) -> Iterator[Finding]:
    """Run every rule over the readings."""
    exercised = Exercised(readings)
    for registered in rules():
        for finding in registered.judge(exercised.readings):
            yield exercised.resting_on_what_was_read(finding)
