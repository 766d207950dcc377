"""Restarts that the agent asks for itself, on a virtual all-in-one whose service goes on with the run each time.

./dev bench --restarts NUMBER
"""

from __future__ import annotations

import contextlib
import json
import time
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


class Walked(NamedTuple):
    """What came of it; ``trouble`` is what is not as it must be (``""`` where all is), ``seconds`` how long it took."""

    trouble: str
    view: RunView | None
    seconds: float


def walk(aio: VirtualAio, times: int) -> Walked:
    """Install the service, ask for so many restarts, and look from outside at how often the unit restarted and what the
    run says of it.
    """
    began = time.monotonic()
    _install(aio)
    before = _boots(aio)
    asked = aio.guest.run(COMMAND, "restart", "--times", str(times), "--lang", "en", timeout_s=ONE_S)
    tell("\n".join(f"      {line}" for line in asked.err.strip().splitlines()))
    if asked.status != 3 or "restarts now" not in asked.err:
        return Walked(f"it ended with {asked.status}: {asked.err.strip()[-300:]}", None, time.monotonic() - began)
    view = _await_end(aio, began + ONE_S * (times + 1))
    seconds = time.monotonic() - began
    if view is None:
        return Walked(f"the run is not over after {seconds:.0f} s", None, seconds)
    return Walked(_trouble(view, times, _boots(aio) - before), view, seconds)


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


def _trouble(view: RunView, times: int, boots: int) -> str:
    """What of it is not as it must be: so many restarts, so many new boots, and nothing that showed."""
    rounds = [step for name, step in view.steps.items() if name.endswith(".round")]
    if (len(rounds), boots, len(set(view.boots)) - 1) != (times, times, times):
        return f"{len(rounds)} rounds, {boots} boots of the unit, {len(set(view.boots)) - 1} of the run, for {times}"
    if not view.complete or view.outcomes.get("restarts") is not Outcome.PASS:
        told = view.steps.get("restarts")
        those = [shown for step in rounds if step.round for shown in step.round["shown"]]
        showed = sorted({" ".join(filter(None, (one["code"], one["component"], one["subject"]))) for one in those})
        return f"{told.outcome if told else 'no end'}: {told.reason if told else ''} {showed}"
    return ""
