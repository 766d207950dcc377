"""What came of a restart that the run had asked for: the unit is looked at as a whole, and compared with how it was.

A restart counts where the unit came up once, after a session that ended in order. One that went down in another way
(panic, power cut, watchdog, heat) failed, and what the unit says of that session is what showed; where it cannot be
told how it went down, or it was started more than once, the restart counts for nothing.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from agent.host import Host, now
from agent.journal import JournalError
from agent.model import ComponentKind, Evidence, Outcome, Reading, Text, ocp
from agent.model.run_view import RunView, StepView
from agent.model.step_name import round_of
from agent.probes import areas
from agent.replay.recipe import Work
from agent.replay.returned import Looked, missing, slower
from agent.replay.round import Conditions, Round, Signature
from agent.runner.baseline import per_area
from agent.runner.recording import boot_id
from agent.runner.restarting import CLOCK
from agent.runner.rounds import RESTART, Player, close, named, record
from agent.runner.step import StepResult
from agent.runner.steps import rules_step

SETTLED_S = 60.0
"""Seconds after the kernel's start within which drives, USB devices and network links have come; ours."""
BOOTS_S = 20.0
"""Seconds for the list of boots; journalctl opens every journal file for it."""
_BOOT = re.compile(r"^ *-?\d+ ([0-9a-f]{32}) ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class AskedFor:
    """A restart that was on record when the unit came up: of which round, in which boot it was asked for (``boot``),
    and what the battery-backed clock said then (s since 1970; ``None`` where there is none).
    """

    number: int
    exercise: str
    seed: int
    boot: str
    clock: int | None
    time: str

    @property
    def step(self) -> str:
        """Its step."""
        return f"{self.number}.{RESTART}"

    @classmethod
    def of(cls, view: RunView, step: StepView) -> AskedFor:
        """As the record has it. Raises ``KeyError``, ``TypeError`` or ``ValueError`` where it does not say."""
        number = round_of(step.name)
        if number is None:
            raise ValueError(f"{step.name} is of no round")
        told, clock = view.steps[f"{number}.round"].parameters, step.parameters["clock"]
        return cls(
            number,
            str(told["exercise"]),
            int(told["seed"]),
            str(step.parameters["from_boot"]),
            clock if isinstance(clock, int) else None,
            step.started,
        )


def came_back(player: Player, asked: AskedFor, work: Work, before: Mapping[str, Looked], attempt: int) -> Round:
    """Look at the unit, compare, and write down what came of the round. ``before`` is what each area showed before the
    first restart; ``attempt`` (>= 1) is how often the run has gone on, by which the steps of this look are named.
    """
    began = time.monotonic()
    try:
        played = _looked_at(player, asked, work, before, attempt)
    except BaseException:
        with contextlib.suppress(JournalError):
            for step in (asked.step, f"{asked.number}.round"):
                if step in player.journal.open_steps:
                    reason = Text("stopped by the person")
                    close(player.journal, step, Outcome.SKIPPED, reason, time.monotonic() - began)
        raise
    record(player.journal, f"{asked.number}.round", played, time.monotonic() - began)
    return played


def _looked_at(player: Player, asked: AskedFor, work: Work, before: Mapping[str, Looked], attempt: int) -> Round:
    time.sleep(max(0.0, SETTLED_S - time.clock_gettime(time.CLOCK_BOOTTIME)))
    looked = player.look(f"{asked.number}.{attempt}", areas())
    boots = player.host.output("boots", "journalctl", "--list-boots", "--no-pager", "-q", timeout_s=BOOTS_S)
    player.journal.attach(asked.step, boots)
    readings = _readings(asked, before, looked.results, player.host)
    player.journal.append(*(ocp.measurement(asked.step, reading) for reading in readings))
    (judged,) = player.engine.run([named(f"{asked.number}", rules_step(readings))])
    # That it went down before the run too is nothing new, and counts here all the same.
    down = [Signature.of(found) for found in looked.findings if found.code.startswith("DOWN-")]
    of_restart = [Signature.of(found) for found in judged.findings]
    showed = tuple(dict.fromkeys([*down, *of_restart, *looked.new]))
    counts = _ended_in_order(looked.results) and started_once(boots, asked.boot, boot_id())
    whole = counts and judged.outcome in (Outcome.PASS, Outcome.FAIL)
    outcome = Outcome.FAIL if showed else Outcome.PASS if whole else Outcome.ERROR
    reason = Text("it cannot be told that the unit restarted once and in order") if outcome is Outcome.ERROR else None
    by_clock = (datetime.fromisoformat(now()) - datetime.fromisoformat(asked.time)).total_seconds()
    lasted = max(by_clock, time.clock_gettime(time.CLOCK_BOOTTIME))
    close(player.journal, asked.step, outcome, reason, lasted)
    exposed = {kind: amount * work.hours for kind, amount in work.gives.items()}
    return Round(asked.number, work.name, asked.seed, lasted / 3600.0, exposed, Conditions(), showed, whole)


def started_once(boots: Evidence, before: str, here: str) -> bool:
    """Whether there was no other boot between the two; also where the list does not have the first of them: no journal
    is kept, and nothing says that there was one.
    """
    listed = _BOOT.findall(boots.text()) if not boots.problem else []
    first, last = before.replace("-", ""), here.replace("-", "")
    if first not in listed or last not in listed:
        return True
    return listed.index(last) - listed.index(first) == 1


def _ended_in_order(results: Sequence[StepResult]) -> bool:
    readings = [reading for result in results for reading in result.readings]
    return any(reading.name == "last_shutdown.clean" and reading.value is True for reading in readings)


def _readings(
    asked: AskedFor, before: Mapping[str, Looked], results: Sequence[StepResult], host: Host
) -> list[Reading]:
    after, at = per_area(results), now()

    found = [
        Reading("restart_test.missing", gone.what, "", gone.kind, gone.subject, "aiodiag", at)
        for gone in missing(before, after)
    ]
    then = [r for area, looked in before.items() if area in after for r in looked.readings]
    for was, is_now in slower(then, [r for looked in after.values() for r in looked.readings]):
        found.append(replace(was, name="restart_test.before"))
        found.append(replace(is_now, name="restart_test.after"))
    clock = host.tree(CLOCK).tree().integer(CLOCK)
    if clock is not None and asked.clock is not None:
        # Not by the system's clock, which a time server may have set back in the session before.
        away = round(clock - asked.clock - time.clock_gettime(time.CLOCK_BOOTTIME), 1)
        found.append(Reading("restart_test.away", away, "s", ComponentKind.RTC_BATTERY, "rtc0", CLOCK, at))
    return found
