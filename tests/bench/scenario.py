"""What a scenario is: a fault, what a customer would have said, and what the agent must and must not say.

A scenario is one function in ``scenarios/``, found by its decorator. It puts the fault into the machine, proves by a
tool that is not ours that it took, and then calls ``check()``: the self-check in the guest. What came of that is judged
by :mod:`tests.bench.judgement`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from tests.bench.aio import VirtualAio
from tests.bench.checked import Checked

LIMIT_S = 600.0
"""Seconds that a scenario may take, from the machine's start to its end: it ends only one that hangs. Most take 30, and
three times as long where the cores have other work."""
TEST_S = 20.0
"""Seconds of a hardware test, where its scenario does not say. Those that need more to mean something take more."""


class Expected(NamedTuple):
    """A finding that must be there. ``subject`` is not looked at where it is ``None``."""

    code: str
    component: str
    severity: str
    subject: str | None = None


class Check(Protocol):
    """The self-check, or the scenario's hardware tests, in the guest, through the installed command; see
    :func:`tests.bench.checked.check`.
    """

    def __call__(self, *, typed: str | None = None) -> Checked:
        """``typed`` is a serial number that the person types."""


class Scenario(NamedTuple):
    """A registered scenario; the fields are those of :func:`scenario`."""

    name: str
    fault: str
    run: Callable[[VirtualAio, Check], None]
    marks: tuple[str, ...]
    customer: str
    symptom: str | None
    plan: str
    tests: tuple[str, ...]
    seconds: float
    language: str
    expected: tuple[Expected, ...]
    tolerated: tuple[str, ...]
    never: tuple[str, ...]
    status: int | None
    personality: str
    changes: Mapping[str, Mapping[str, Any]]
    cold: bool
    limit_s: float

    @property
    def command(self) -> list[str]:
        """What the agent is asked: its command and the options that the scenario decides."""
        if self.tests:
            return ["test", *self.tests, "--duration", f"{self.seconds:g}", "--lang", self.language]
        told = ["--symptom", self.symptom] if self.symptom else []
        return ["selfcheck", "--plan", self.plan, *told, "--lang", self.language]


_SCENARIOS: dict[str, Scenario] = {}


def scenario(
    *marks: str,
    customer: str,
    symptom: str | None = None,
    plan: str = "quick",
    tests: Sequence[str] = (),
    seconds: float = TEST_S,
    language: str = "en",
    expected: Sequence[Expected] = (),
    tolerated: Sequence[str] = (),
    never: Sequence[str] = (),
    status: int | None = None,
    personality: str = "aio-24",
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    cold: bool = False,
    limit_s: float = LIMIT_S,
) -> Callable[[Callable[[VirtualAio, Check], None]], Callable[[VirtualAio, Check], None]]:
    """Register a function as a scenario, named like it with dashes; the first line of its docstring states the fault.

    ``marks`` are the areas by which it can be chosen. ``customer`` is what a customer would have said. ``symptom``,
    ``plan`` and ``language`` are those of the self-check; with ``tests`` these hardware tests are run instead of it,
    for ``seconds``. Any finding of severity warning or worse that is neither ``expected`` nor one of the codes
    ``tolerated`` (a consequence of the fault) is a false alarm; a code that matches a pattern of ``never`` is one
    whatever its severity. ``status`` is the exit status, where it is not the one that follows from the findings.
    ``personality`` names the machine, ``changes`` alter tables of it (such a machine starts cold), and ``cold`` wants a
    cold start without changes.
    """

    def register(run: Callable[[VirtualAio, Check], None]) -> Callable[[VirtualAio, Check], None]:
        name = run.__name__.replace("_", "-")
        if name in _SCENARIOS:
            raise ValueError(f"two scenarios named {name}")
        fault = (run.__doc__ or "").strip().split("\n\n")[0]
        if not fault:
            raise ValueError(f"{name} does not say what the fault is")
        _SCENARIOS[name] = Scenario(
            name=name,
            fault=" ".join(fault.split()),
            run=run,
            marks=marks,
            customer=customer,
            symptom=symptom,
            plan=plan,
            tests=tuple(tests),
            seconds=seconds,
            language=language,
            expected=tuple(expected),
            tolerated=tuple(tolerated),
            never=tuple(never),
            status=status,
            personality=personality,
            changes=changes or {},
            cold=cold or bool(changes),
            limit_s=limit_s,
        )
        return run

    return register


def scenarios() -> list[Scenario]:
    """All scenarios, those of one file together; then the healthy machine under every plan and symptom of theirs."""
    package = importlib.import_module("tests.bench.scenarios")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return [*_SCENARIOS.values(), *_controls(list(_SCENARIOS.values()))]


def _controls(faulty: Sequence[Scenario]) -> list[Scenario]:
    """False alarms count as much as misses: the healthy machine is asked everything that a faulty one is asked."""
    checks = sorted({(s.symptom, s.plan) for s in faulty if s.symptom and not s.tests})
    tests = sorted({(s.tests, s.seconds) for s in faulty if s.tests})
    return [
        *(_control([symptom] + [plan] * (plan != "quick"), symptom=symptom, plan=plan) for symptom, plan in checks),
        *(_control(["test", *names], tests=names, seconds=seconds) for names, seconds in tests),
    ]


def _control(
    name: Sequence[str],
    *,
    symptom: str | None = None,
    plan: str = "quick",
    tests: tuple[str, ...] = (),
    seconds: float = TEST_S,
) -> Scenario:
    return Scenario(
        name="-".join(["control", *name]).replace("_", "-"),
        fault="none: the healthy machine, asked the same",
        run=_nothing_wrong,
        marks=("control",),
        customer="(the symptom is told, and nothing is wrong)" if symptom else "(nothing is wrong)",
        symptom=symptom,
        plan=plan,
        tests=tests,
        seconds=seconds,
        language="en",
        expected=(),
        tolerated=(),
        never=(),
        status=None,
        personality="aio-24",
        changes={},
        cold=False,
        limit_s=LIMIT_S,
    )


def _nothing_wrong(_aio: VirtualAio, check: Check) -> None:
    check()
