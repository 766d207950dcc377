"""The closed loop on a virtual all-in-one: from the symptom alone to a recipe, and from the recipe to a verdict, which
must be another one on the faulty machine than on the repaired one.

    ./dev bench --loops [NAME...]
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

from tests.bench.aio import VirtualAio
from tests.bench.checked import COMMAND
from tests.bench.hardware.part import again_and_again
from tests.bench.hardware.processor import CORRECTED_MEMORY
from tests.bench.machine.channel import Ran
from tests.bench.restarts import STATE
from tests.bench.runner import tell

ROUND_S = 20
"""Seconds of one round: emulated processors warm up within ten (the heat model's time runs eight times as fast)."""
REPLAY_LIMIT_S = 1500.0
HOURS = "0.3"
_OUTPUT = "/var/tmp/loop"
PANEL_FLAPS = "LCD-4049"
OUTSIDE = 2
"""The port of the hub that is a socket."""
WARM_C = 61.0
"""A unit at rest has 36 °C, one that works with all its processors soon more than 65 °C."""


Strike = Callable[[VirtualAio], None]


class Loop(NamedTuple):
    """A fault, what the customer would have called it, and the codes by which it may be recognised. ``strike`` is what
    a fault does that brings the whole unit down, each time when it is warm.
    """

    name: str
    symptom: str
    codes: tuple[str, ...]
    faulty: Callable[[VirtualAio], AbstractContextManager[None]]
    strike: Strike | None = None


class Walked(NamedTuple):
    """What came of a loop; ``seconds`` of the reproduction and of the two verifications."""

    loop: Loop
    trouble: str
    fault: str
    seconds: tuple[float, float, float]


_LOOPS: dict[str, Loop] = {}


def loop(symptom: str, *codes: str) -> Callable[[Callable[[VirtualAio], Iterator[None]]], None]:
    """Register a generator that puts a fault into the machine, and takes it out again, as a loop."""

    def register(faulty: Callable[[VirtualAio], Iterator[None]]) -> None:
        name = faulty.__name__.replace("_", "-")
        _LOOPS[name] = Loop(name, symptom, codes, contextmanager(faulty))

    return register


def striking(
    symptom: str, *codes: str, prepared: Callable[[VirtualAio], AbstractContextManager[None]] | None = None
) -> Callable[[Strike], None]:
    """Register a function that brings the unit down as a loop, on a unit that was ``prepared`` for it where that is
    said. As the service would, ``aiodiag resume`` goes on.
    """

    def register(strike: Strike) -> None:
        name = strike.__name__.replace("_", "-")
        _LOOPS[name] = Loop(name, symptom, codes, prepared or (lambda _: contextlib.nullcontext()), strike)

    return register


def loops() -> list[Loop]:
    """All loops."""
    return list(_LOOPS.values())


def walk(one: Loop, aio: VirtualAio) -> Walked:
    """Reproduce, verify while the fault is there, verify after it was taken out."""
    told: list[tuple[dict[str, Any], float]] = []
    trouble = ""
    try:
        for document, seconds in _steps(one, aio):
            told.append((document, seconds))
        trouble = _trouble(one, *(document for document, _ in told))
    except _Wrong as e:
        trouble = str(e)
    replay = told[0][0].get("replay", {}) if told else {}
    first, second, third = (*(seconds for _, seconds in told), 0.0, 0.0, 0.0)[:3]
    return Walked(one, trouble, (replay.get("fault") or {}).get("code", ""), (first, second, third))


def _steps(one: Loop, aio: VirtualAio) -> Iterator[tuple[dict[str, Any], float]]:
    with one.faulty(aio):
        words = ("replay", "--symptom", one.symptom, "--round", str(ROUND_S), "--hours", HOURS)
        told, seconds = _run(aio, one.strike, *words)
        yield told, seconds
        recipe = told["replay"]["recipe"]
        if not recipe:
            return
        yield _run(aio, one.strike, "verify", "--recipe", recipe)
    yield _run(aio, None, "verify", "--recipe", recipe)


def _trouble(one: Loop, reproduced: dict[str, Any], *verified: dict[str, Any]) -> str:
    """What of it is not as it must be; ``""`` where all is."""
    replay = reproduced["replay"]
    code = (replay["fault"] or {}).get("code")
    if code not in one.codes or len(verified) != 2:
        return f"reproduced {code or 'nothing'} ({replay['ending']})"
    still, gone = (told["verification"] for told in verified)
    if still["verdict"] != "still_faulty":
        return f"the faulty machine is called {still['verdict']}"
    if gone["verdict"] != "verified" or gone["confidence"] < 0.95:
        return f"the repaired machine is called {gone['verdict']} ({gone['confidence']}, {gone['faults']})"
    return ""


class _Wrong(Exception):
    """What the agent said is not so."""


def _run(aio: VirtualAio, strike: Strike | None, *words: str) -> tuple[dict[str, Any], float]:
    began = time.monotonic()
    given = (*words, "--json", "--lang", "en")
    ran = _through(aio, strike, *given) if strike else aio.guest.run(COMMAND, *given, timeout_s=REPLAY_LIMIT_S)
    tell("\n".join(f"      {line}" for line in ran.err.strip().splitlines()))
    if ran.status not in (0, 1, 3) or "Traceback" in ran.err or not ran.out:
        raise _Wrong(f"aiodiag {words[0]} ended with {ran.status}: {ran.err.strip()[-600:]}")
    return json.loads(ran.out), time.monotonic() - began


def _through(aio: VirtualAio, strike: Strike, *words: str) -> Ran:
    """Run the agent on a unit that goes down whenever it is warm, and go on with it each time that it is up again."""
    deadline = time.monotonic() + REPLAY_LIMIT_S
    said = ""
    _begin(aio, *words)
    while time.monotonic() < deadline:
        time.sleep(1.0)
        if _works_hard(aio):
            with aio.restarting():
                strike(aio)
            # A unit that went down at once may have lost even the name of the file.
            said += aio.guest.shell(f"cat {_OUTPUT}.err").out
            _begin(aio, "resume", "--json", "--lang", "en")
        elif aio.guest.shell(f"test -s {_OUTPUT}.status").status == 0:
            out, err, status = (aio.guest.read(f"{_OUTPUT}.{what}") for what in ("out", "err", "status"))
            return Ran(int(status), out, said + err, 0.0)
    raise _Wrong(f"no end within {REPLAY_LIMIT_S:.0f} s: {said.strip()[-600:]}")


def _works_hard(aio: VirtualAio) -> bool:
    """Warm, and an exerciser is at work: on a slow host the agent's own beginning warms the unit as well."""
    return aio.cooling.temperature > WARM_C and aio.guest.shell("grep -qs ^stress /proc/[0-9]*/comm").status == 0


def _begin(aio: VirtualAio, *words: str) -> None:
    script = f'"$@" > {_OUTPUT}.out 2> {_OUTPUT}.err; echo $? > {_OUTPUT}.status'
    aio.guest.shell(f"rm -f {_OUTPUT}.*").check()
    aio.guest.start("/bin/sh", "-c", script, "sh", COMMAND, *words)


@contextmanager
def _while_it_holds(fault: Callable[[], AbstractContextManager[None]], when: Callable[[], bool]) -> Iterator[None]:
    """A fault that is there as long as a condition holds."""
    there = contextlib.ExitStack()
    held = False

    def follow() -> None:
        nonlocal held
        holds = when()
        if holds and not held:
            there.enter_context(fault())
        elif held and not holds:
            there.pop_all().close()
        held = holds

    with there, again_and_again(follow, 0.5):
        yield


def _warm(aio: VirtualAio) -> Callable[[], bool]:
    return lambda: aio.cooling.temperature > WARM_C


@loop("memory-errors", "MEM-3908")
def memory_bit_when_warm(aio: VirtualAio) -> Iterator[None]:
    """Bits of the memory are stuck at 1 as long as the unit is warm."""
    with aio.memory.stuck_bit(when=_warm(aio)):
        yield


@loop("overheats", "HEAT-2035")
def heatsink_blocked(aio: VirtualAio) -> Iterator[None]:
    """The heat sink is full of dust."""
    with aio.cooling.heatsink_blocked(2.6):
        yield


@loop("flickers-warm", PANEL_FLAPS)
def screen_cable_when_warm(aio: VirtualAio) -> Iterator[None]:
    """The panel's connector opens and closes while the unit is warm."""
    with _while_it_holds(aio.panel.flapping, _warm(aio)):
        yield


@loop("usb-drops", "LOG-8554", "USB-7205")
def usb_overload_under_load(aio: VirtualAio) -> Iterator[None]:
    """A USB socket is overloaded for a moment, again and again, while the unit works hard."""
    with _while_it_holds(lambda: aio.usb.overload(OUTSIDE), _warm(aio)):
        yield


@loop("freezes", "LOG-8484")
def corrected_machine_checks_under_load(aio: VirtualAio) -> Iterator[None]:
    """The memory controller corrects errors while the unit works hard."""
    warm = _warm(aio)

    def report() -> None:
        if warm():
            aio.processor.corrected_error(CORRECTED_MEMORY)

    with again_and_again(report, 3.0):
        yield


@loop("slow-disk", "DISK-1509", "LOG-8400")
def sectors_that_cannot_be_read(aio: VirtualAio) -> Iterator[None]:
    """Two sectors of the drive cannot be read."""
    with aio.storage.nvme[0].medium.bad_sectors([2048, 2056]):
        yield


@loop("slow-disk", "DISK-1514")
def drive_that_becomes_slow(aio: VirtualAio) -> Iterator[None]:
    """The drive answers so slowly that it reads a MiB a second."""
    with aio.storage.nvme[0].medium.limited(bps_total=1 << 20):
        yield


@striking("restarts", "DOWN-8715")
def reset_under_load(aio: VirtualAio) -> None:
    """The unit is reset on the spot when it works hard."""
    aio.power.reset()


@contextmanager
def _watchdog_asked_for(aio: VirtualAio) -> Iterator[None]:
    """A person wants a freeze to become a restart (docs/survival.md)."""
    aio.guest.shell(f"mkdir -p -m 700 {STATE} && touch {STATE}/watchdog").check()
    yield
    aio.guest.shell(f"rm {STATE}/watchdog").check()


@striking("freezes", "DOWN-8728", prepared=_watchdog_asked_for)
def freeze_under_load(aio: VirtualAio) -> None:
    """The unit freezes when it works hard, and the watchdog that the agent holds restarts it."""
    if not aio.power.watchdog_runs:
        raise _Wrong("the agent does not hold the watchdog while hardware is exercised")
    aio.power.hang()
