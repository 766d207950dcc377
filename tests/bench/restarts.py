"""Restarts that the agent asks for itself, on a virtual all-in-one whose service goes on with the run each time: so
many of a sound one, and one for each change that may come with a restart.

    ./dev bench --restarts NUMBER
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from agent.model import Outcome
from agent.model.run_view import RunView
from tests.bench.aio import VirtualAio
from tests.bench.checked import COMMAND
from tests.bench.machine.channel import Silent
from tests.bench.runner import tell

UNIT = Path(__file__).resolve().parents[2] / "packaging" / "systemd" / "aiodiag-resume.service"
INSTALLED = "/etc/systemd/system/aiodiag-resume.service"
STATE = "/var/lib/aiodiag"
RUNS = f"{STATE}/runs"
ONE_S = 240.0
"""Seconds for one restart on a slow host, with the look at the unit after it."""


Happening = Callable[[VirtualAio], Iterator[None]]
"""A generator that does something before the run, and the rest once the run has asked for the restart."""


class Change(NamedTuple):
    """What happens to a unit while it restarts, and the one code that the run must tell."""

    name: str
    code: str
    happening: Happening


class Walked(NamedTuple):
    """What came of it; ``trouble`` is what is not as it must be (``""`` where all is), ``seconds`` how long it took."""

    trouble: str
    view: RunView | None
    seconds: float


_CHANGES: dict[str, Change] = {}


def change(code: str) -> Callable[[Happening], None]:
    """Register a generator as a change."""

    def register(happening: Happening) -> None:
        name = happening.__name__.replace("_", "-")
        _CHANGES[name] = Change(name, code, happening)

    return register


def changes() -> list[Change]:
    """All of them."""
    return list(_CHANGES.values())


def _nothing(_aio: VirtualAio) -> Iterator[None]:
    yield


SOUND = Change("sound", "", _nothing)
"""The unit is after each restart what it was before."""


def walk(aio: VirtualAio, times: int, change: Change = SOUND) -> Walked:
    """Install the service, ask for so many restarts, and look from outside at how often the unit restarted and what the
    run says of it. The ``change`` comes with the first restart.
    """
    began = time.monotonic()
    _install(aio)
    happening = change.happening(aio)
    next(happening)
    before = _boots(aio)
    asked = aio.guest.run(COMMAND, "restart", "--times", str(times), "--lang", "en", timeout_s=ONE_S)
    tell("\n".join(f"      {line}" for line in asked.err.strip().splitlines()))
    if asked.status != 3 or "restarts now" not in asked.err:
        return Walked(f"it ended with {asked.status}: {asked.err.strip()[-300:]}", None, time.monotonic() - began)
    next(happening, None)
    view = _await_end(aio, began + ONE_S * (times + 1))
    seconds = time.monotonic() - began
    if view is None:
        return Walked(f"the run is not over after {seconds:.0f} s", None, seconds)
    return Walked(_trouble(view, times, _boots(aio) - before, change.code), view, seconds)


def _install(aio: VirtualAio) -> None:
    text = UNIT.read_text("utf-8").replace("/usr/bin/aiodiag", COMMAND)
    aio.guest.run("/bin/sh", "-c", 'printf %s "$1" > "$2"', "sh", text, INSTALLED).check()
    aio.guest.shell("systemctl daemon-reload && systemctl enable -q aiodiag-resume.service").check()


def _boots(aio: VirtualAio) -> int:
    return len(aio.guest.shell("journalctl --list-boots --no-pager -q").check().out.splitlines())


def _await_end(aio: VirtualAio, until: float) -> RunView | None:
    while time.monotonic() < until:
        time.sleep(2.0)
        with contextlib.suppress(Silent, OSError):
            if not aio.guest.ping(2.0):
                continue
            view = recorded(aio.guest.shell(f"cat {RUNS}/*/journal.jsonl", timeout_s=30.0).out)
            if view.ended:
                return view
    return None


def recorded(journal: str) -> RunView:
    """A run by the whole lines of its journal: the last one may be half written. Raises ``ValueError`` for any other
    damage.
    """
    whole = journal.rpartition("\n")[0]
    return RunView.from_records(json.loads(line) for line in whole.split("\n") if line)


def _trouble(view: RunView, times: int, boots: int, code: str) -> str:
    """What of it is not as it must be: so many restarts, so many new boots, and what showed (``""`` for nothing)."""
    rounds = [step for name, step in view.steps.items() if name.endswith(".round")]
    if (len(rounds), boots, len(set(view.boots)) - 1) != (times, times, times):
        return f"{len(rounds)} rounds, {boots} boots of the unit, {len(set(view.boots)) - 1} of the run, for {times}"
    those = [shown for step in rounds if step.round for shown in step.round["shown"]]
    wanted = Outcome.FAIL if code else Outcome.PASS
    if {one["code"] for one in those} != ({code} if code else set()) or view.outcomes.get("restarts") is not wanted:
        told = view.steps.get("restarts")
        showed = sorted({" ".join(filter(None, (one["code"], one["component"], one["subject"]))) for one in those})
        return f"{told.outcome if told else 'no end'}: {told.reason if told else ''} {showed}"
    return "" if view.complete else "it is not complete"


@change("DOWN-8753")
def touch_screen_lost(aio: VirtualAio) -> Iterator[None]:
    """The touch screen's plug comes off."""
    yield
    assert aio.qemu is not None
    aio.qemu.qmp("device_del", id="touch")


@change("CLOCK-8248")
def clock_goes_back(aio: VirtualAio) -> Iterator[None]:
    """The battery-backed clock loses two days."""
    yield
    aio.clock.put_ahead(-2 * 86400.0)
