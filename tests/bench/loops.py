"""The closed loop on a virtual all-in-one: from the symptom alone to a recipe, and from the recipe to a verdict, which
must be another one on the faulty machine than on the repaired one.

    ./dev bench --loops [NAME...]
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

from tests.bench.aio import VirtualAio
from tests.bench.checked import COMMAND
from tests.bench.runner import tell

ROUND_S = 20
"""Seconds of one round: emulated processors warm up within ten (the heat model's time runs eight times as fast)."""
REPLAY_LIMIT_S = 1500.0
HOURS = "0.3"
WARM_C = 61.0
"""A unit at rest has 36 °C, one that works with all its processors soon more than 65 °C."""


class Loop(NamedTuple):
    """A fault, what the customer would have called it, and the codes by which it may be recognised."""

    name: str
    symptom: str
    codes: tuple[str, ...]
    faulty: Callable[[VirtualAio], AbstractContextManager[None]]


class Walked(NamedTuple):
    """What came of a loop; ``seconds`` of the reproduction and of the two verifications."""

    loop: Loop
    trouble: str
    fault: str
    rounds: int
    seconds: tuple[float, float, float]


_LOOPS: dict[str, Loop] = {}


def loop(symptom: str, *codes: str) -> Callable[[Callable[[VirtualAio], Iterator[None]]], None]:
    """Register a generator that puts a fault into the machine, and takes it out again, as a loop."""

    def register(faulty: Callable[[VirtualAio], Iterator[None]]) -> None:
        name = faulty.__name__.replace("_", "-")
        _LOOPS[name] = Loop(name, symptom, codes, contextmanager(faulty))

    return register


def loops() -> list[Loop]:
    """All loops."""
    return list(_LOOPS.values())


def walk(one: Loop, aio: VirtualAio) -> Walked:
    """Reproduce, verify while the fault is there, verify after it was taken out."""
    seconds: list[float] = []
    fault, rounds, trouble = "", 0, ""
    try:
        with one.faulty(aio):
            told = _run(aio, seconds, "replay", "--symptom", one.symptom, "--round", str(ROUND_S), "--hours", HOURS)
            replay = told["replay"]
            fault, rounds = (replay["fault"] or {}).get("code", ""), replay["rounds"]
            if fault not in one.codes or not replay["recipe"]:
                raise _Wrong(f"reproduced {fault or 'nothing'} ({replay['ending']})")
            still = _run(aio, seconds, "verify", "--recipe", replay["recipe"])["verification"]
        if still["verdict"] != "still_faulty":
            raise _Wrong(f"the faulty machine is called {still['verdict']}")
        gone = _run(aio, seconds, "verify", "--recipe", replay["recipe"])["verification"]
        if gone["verdict"] != "verified" or gone["confidence"] < 0.95:
            raise _Wrong(f"the repaired machine is called {gone['verdict']} ({gone['confidence']}, {gone['faults']})")
    except _Wrong as e:
        trouble = str(e)
    first, second, third = (*seconds, 0.0, 0.0, 0.0)[:3]
    return Walked(one, trouble, fault, rounds, (first, second, third))


class _Wrong(Exception):
    """What the agent said is not so."""


def _run(aio: VirtualAio, seconds: list[float], *words: str) -> dict[str, Any]:
    began = time.monotonic()
    ran = aio.guest.run(COMMAND, *words, "--json", "--lang", "en", timeout_s=REPLAY_LIMIT_S)
    seconds.append(time.monotonic() - began)
    tell("\n".join(f"      {line}" for line in ran.err.strip().splitlines()))
    if ran.status not in (0, 1, 3) or "Traceback" in ran.err:
        raise _Wrong(f"aiodiag {words[0]} ended with {ran.status}: {ran.err.strip()[-600:]}")
    document: dict[str, Any] = json.loads(ran.out)
    return document


@contextmanager
def _again_and_again(do: Callable[[], None], *, when: Callable[[], bool], every_s: float) -> Iterator[None]:
    """Do something every so many seconds as long as a condition holds."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(every_s):
            if when():
                with contextlib.suppress(OSError):
                    do()

    thread = threading.Thread(target=work, name="fault")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _warm(aio: VirtualAio) -> Callable[[], bool]:
    return lambda: aio.cooling.temperature > WARM_C


@loop("memory-errors", "MEM-3908")
def memory_bit_when_warm(aio: VirtualAio) -> Iterator[None]:
    """Bits of the memory are stuck at 1 as long as the unit is warm."""
    with aio.memory.stuck_bit(when=_warm(aio)):
        yield


@loop("overheats", "HEAT-2032", "HEAT-2045", "HEAT-2058", "HEAT-2061", "HEAT-2074", "HEAT-2087")
def heatsink_blocked(aio: VirtualAio) -> Iterator[None]:
    """The heat sink is full of dust."""
    with aio.cooling.heatsink_blocked(2.6):
        yield


@loop("flickers-warm", "LCD-4228", "LCD-4215")
def screen_cable_when_warm(aio: VirtualAio) -> Iterator[None]:
    """The panel's connector opens and closes while the unit is warm."""
    with contextlib.ExitStack() as flapping:
        state = {"on": False}

        def follow() -> None:
            warm = aio.cooling.temperature > WARM_C
            if warm and not state["on"]:
                flapping.enter_context(aio.panel.flapping())
            elif not warm and state["on"]:
                flapping.pop_all().close()
            state["on"] = warm

        with _again_and_again(follow, when=lambda: True, every_s=0.5):
            yield


@loop("freezes", "CPU-6002", "CPU-6041", "LOG-8492")
def corrected_machine_checks_under_load(aio: VirtualAio) -> Iterator[None]:
    """The processor reports corrected errors while it works hard."""
    with _again_and_again(lambda: aio.processor.corrected_error(CORRECTED), when=_warm(aio), every_s=3.0):
        yield


CORRECTED = 0x9C00004000010091
