"""Power cuts at random moments of a running agent, on a virtual all-in-one: what it had told of is on the disk, and
every run comes to its right end.

    ./dev bench --kills NUMBER

One machine lives through all of them: at each start what the last session told is compared with its record, then the
agent is started again (it goes on with what is to go on, as the service would; otherwise a self-check and a
reproduction take turns), and some time later the power goes away. At the end one self-check is left in peace, and every
run is judged.
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from agent.model import Outcome
from agent.model.run_view import RunView
from agent.model.step_name import plain
from agent.texts import render
from agent.texts.words import OUTCOMES, step_word
from tests.bench.aio import VirtualAio
from tests.bench.checked import COMMAND, SELFCHECK_LIMIT_S
from tests.bench.restarts import RUNS, STATE, recorded

RESUMED_WITHIN_S = 1500.0
_WAITING = f"{STATE}/resume"
_CONSOLE = "/dev/ttyS0"
_TURNS = (("selfcheck",), ("replay", "--symptom", "restarts", "--round", "2", "--hours", "0.1"))
"""Rounds so short that several end before a cut: their record is what is put to the proof."""
_STEP = re.compile(r"(?P<word>.+): (?P<outcome>[^:]+) \(\d+\.\d s\)")
_PROMPT = re.compile(r"^\S+ login: ")
_ROUND = re.compile(r"round (?P<number>\d+) \(")
WENT_DOWN = ("the unit went down", "the unit went down {seconds} s after the test began")
WENT_DOWN_WARM = "the unit went down {seconds} s after the test began, at {temperature} °C"


class Cut(NamedTuple):
    """One power cut: what had been started, after how many seconds the power went, how many lines had been told by
    then, and what of them is not on record.
    """

    command: str
    after_s: float
    told: int
    lost: list[str]


class Lived(NamedTuple):
    """A machine's life. ``troubles`` is what is not as it must be at its end; ``outcomes`` counts how runs ended."""

    cuts: list[Cut]
    troubles: list[str]
    outcomes: Counter[str]


def live(aio: VirtualAio, kills: int, told: Callable[[Cut], None]) -> Lived:
    """Take the power of a running machine away so many times, at moments spread evenly over a self-check's length."""
    cuts: list[Cut] = []
    longest = _measured(aio)
    for number in range(kills):
        words = _next(aio, number)
        after_s = random.uniform(0.0, longest)
        _begin(aio, words)
        time.sleep(after_s)
        aio.power_cut()
        lines = _lines(aio)
        aio.power_on()
        lost = _lost(aio, lines)
        cuts.append(Cut(words[0], after_s, len(lines), lost))
        told(cuts[-1])
    if _waits(aio):
        aio.guest.run(COMMAND, "resume", timeout_s=RESUMED_WITHIN_S)
    aio.guest.run(COMMAND, "selfcheck", timeout_s=SELFCHECK_LIMIT_S)
    troubles, outcomes = [], Counter[str]()
    if cuts and not any(cut.told for cut in cuts):
        troubles.append("nothing was told before any of the cuts, and nothing compared")
    for name in _runs(aio):
        try:
            view = _view(aio, name)
        except ValueError as e:
            troubles.append(f"{name}: cannot be read: {e}")
            continue
        outcomes[_ending(view)] += 1
        if trouble := unfinished(view):
            troubles.append(f"{name}: {trouble}")
    if left := aio.guest.shell(f"ls -d {RUNS}/*.*").out.split():
        troubles.append(f"{', '.join(left)} was left behind")
    return Lived(cuts, troubles, outcomes)


def lost_lines(lines: Sequence[str], view: RunView) -> list[str]:
    """The lines of progress, of steps that ended and of rounds, that the record of the run does not bear out."""
    on_record: Counter[tuple[str, str]] = Counter()
    rounds = {str(step.round["number"]) for step in view.steps.values() if step.round}
    for name, step in view.steps.items():
        if step.outcome:
            on_record[render(step_word(name), "en"), render(OUTCOMES[step.outcome], "en")] += 1
    lost = []
    for line in lines:
        if found := _STEP.fullmatch(line):
            key = (found["word"], found["outcome"])
            on_record[key] -= 1
            if on_record[key] < 0:
                lost.append(line)
        elif (found := _ROUND.match(line)) and found["number"] not in rounds:
            lost.append(line)
    return lost


def unfinished(view: RunView) -> str:
    """What of a run is not as it must be when all is over; ``""`` where all is: it has an end, no step is open, a step
    that was cut off says that the unit went down, and a run with such a step is not complete, unless it went on.
    """
    if not view.ended:
        return "has no end"
    still_open = [name for name, step in view.steps.items() if step.outcome is None]
    if still_open:
        return f"{', '.join(still_open)} never ended"
    cut_off = [step for step in view.steps.values() if step.outcome is Outcome.INTERRUPTED]
    for step in cut_off:
        if step.reason is None or step.reason.template not in (*WENT_DOWN, WENT_DOWN_WARM):
            return f"{step.name} was interrupted because {step.reason}"
    if cut_off and view.complete and not any(plain(name).startswith("resume.") for name in view.steps):
        return "is complete, although it was cut off"
    return ""


def _measured(aio: VirtualAio) -> float:
    """How long a self-check takes here when nothing cuts it off, with a little more: the last moments count too."""
    began = time.monotonic()
    aio.guest.run(COMMAND, "selfcheck", timeout_s=SELFCHECK_LIMIT_S)
    return 1.1 * (time.monotonic() - began)


def _next(aio: VirtualAio, number: int) -> tuple[str, ...]:
    return ("resume",) if _waits(aio) else _TURNS[number % len(_TURNS)]


def _waits(aio: VirtualAio) -> bool:
    return aio.guest.run("/usr/bin/test", "-e", _WAITING).status == 0


def _begin(aio: VirtualAio, words: Sequence[str]) -> None:
    """Its progress goes to the serial console, which QEMU writes to a file outside as it comes; through a pipe, because
    on a terminal it is a bar.
    """
    script = f'"$@" --lang en 2>&1 > /dev/null | cat > {_CONSOLE}'
    aio.guest.start("/bin/sh", "-c", script, "sh", COMMAND, *words)


def lines_of_progress(console: str) -> list[str]:
    """The whole lines of progress on a console: the last one may have been cut off, and before the first may stand that
    somebody may log in.
    """
    whole = [line.rstrip("\r\n") for line in console.splitlines(keepends=True) if line.endswith("\n")]
    lines = [_PROMPT.sub("", line) for line in whole]
    return [line for line in lines if _STEP.fullmatch(line) or _ROUND.match(line)]


def _lines(aio: VirtualAio) -> list[str]:
    return lines_of_progress((aio.folder / "console.log").read_bytes().decode("utf-8", "replace"))


def _lost(aio: VirtualAio, lines: Sequence[str]) -> list[str]:
    """What was told by then is looked for in the newest run: nothing was begun after it."""
    newest = _runs(aio)[-1]
    try:
        return lost_lines(lines, _view(aio, newest))
    except ValueError as e:
        return [f"{newest} cannot be read: {e}"]


def _runs(aio: VirtualAio) -> list[str]:
    """Their ids, the oldest first. Beside a run lies what its tests wrote, until the next run clears it away."""
    return [name for name in aio.guest.shell(f"ls {RUNS}").check().out.split() if "." not in name]


def _view(aio: VirtualAio, run_id: str) -> RunView:
    return recorded(aio.guest.read(f"{RUNS}/{run_id}/journal.jsonl"))


def _ending(view: RunView) -> str:
    kind = str(view.parameters.get("kind") or "selfcheck")
    resumed = sum(name.startswith("resume.") for name in view.steps)
    return f"{kind} {'complete' if view.complete else 'cut off'}{f', went on {resumed} times' if resumed else ''}"
