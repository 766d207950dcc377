"""``./dev bench``: builds what is missing, runs scenarios, says what came of them."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NoReturn

from tests.bench import corpus, kills, loops, personality, report, restarts, shell
from tests.bench.aio import SHM, VirtualAio, restored, snapshot, started
from tests.bench.checked import Checked
from tests.bench.image import Image, build
from tests.bench.recorder import record
from tests.bench.runner import Bench, Ended, tell
from tests.bench.scenario import Scenario, scenarios

JOBS = 2
"""Machines at a time; each keeps a core busy."""
STOPPED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0 when every scenario passed, 1 when one did not, 2 for bad arguments, 130 when stopped."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    parser = _parser()
    arguments = parser.parse_args(argv)
    known = scenarios()
    chosen = [s for s in known if _is_meant(s, arguments.names)]
    if arguments.names and not chosen and not arguments.loops:
        parser.error(f"no scenario or mark is named {' or '.join(arguments.names)}; --list shows them")
    try:
        if arguments.loops:
            return _loops(arguments.names)
        if arguments.restarts:
            return _restarts(arguments.personality, arguments.restarts)
        if arguments.kills:
            return _kills(arguments.personality, arguments.kills)
        if arguments.list:
            return _list(known)
        _sweep()
        if arguments.shell:
            return _shell(chosen if arguments.names else [], arguments.personality)
        return _run(chosen, arguments)
    except corpus.NotHere as e:
        parser.error(str(e))
    except KeyboardInterrupt:
        tell("bench: stopped; every machine is switched off")
        return STOPPED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev bench", description="Runs the agent on virtual all-in-ones.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="scenarios or marks (* stands for anything); all without"
    )
    parser.add_argument("--list", action="store_true", help="show the scenarios and their marks")
    parser.add_argument("--shell", action="store_true", help="stand in a machine with the fault of the scenario named")
    parser.add_argument("--keep", action="store_true", help="leave the machines running, with a way in, until Ctrl-C")
    parser.add_argument("--personality", default="aio-24", choices=personality.names(), help="the machine of --shell")
    parser.add_argument(
        "--jobs", type=int, default=JOBS, choices=range(1, 9), help=f"machines at a time (default {JOBS})"
    )
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="run everything N times")
    parser.add_argument("--record", type=Path, metavar="FOLDER", help="save each bundle and a capture of its evidence")
    parser.add_argument(
        "--loops", action="store_true", help="from the symptom to a recipe and a verdict, instead of self-checks"
    )
    parser.add_argument(
        "--restarts", type=int, metavar="N", help="N restarts that the agent asks for itself, then one with each change"
    )
    parser.add_argument("--kills", type=int, metavar="N", help="N power cuts at random moments of a running agent")
    parser.add_argument("--report", action="store_true", help="write the table into docs/bench.md")
    return parser


def _is_meant(scenario: Scenario, names: Sequence[str]) -> bool:
    return not names or any(fnmatchcase(word, name) for name in names for word in (scenario.name, *scenario.marks))


def _list(known: Sequence[Scenario]) -> int:
    for scenario in known:
        print(f"{scenario.name:44} [{' '.join(scenario.marks)}] {scenario.fault}")
    return 0


def _run(chosen: Sequence[Scenario], arguments: argparse.Namespace) -> int:
    began = time.monotonic()
    image = _ready(build(), chosen)
    tell(f"bench: image and snapshots are there after {time.monotonic() - began:.0f} s")

    def after(scenario: Scenario, aio: VirtualAio, checked: Checked) -> None:
        if arguments.record:
            record(scenario, checked, arguments.record)
        if arguments.keep:
            _keep(scenario, aio)

    began = time.monotonic()
    all_ended: list[Ended] = []
    for _ in range(arguments.repeat):
        for ended in Bench(image, after).run(chosen, arguments.jobs):
            all_ended.append(ended)
            tell(report.line(ended))
    seconds = time.monotonic() - began
    if arguments.report:
        report.write(all_ended, seconds)
    print("\n".join(report.summary(all_ended, seconds)))
    return 0 if all(e.judgement.result == "passed" for e in all_ended) else 1


def _restarts(name: str, times: int) -> int:
    """One machine that restarts so many times, and one for each change that may come with a restart."""
    _sweep()
    image = build()
    wrong = 0
    for number, change in ((times, restarts.SOUND), *((1, change) for change in restarts.changes())):
        with started(personality.load(name), image) as aio:
            walked = restarts.walk(aio, number, change)
        told = f"{number} restarts, {change.name}: {walked.trouble or 'as it must be'} {change.code}"
        tell(f"bench: {told.rstrip()} ({walked.seconds:.0f} s)")
        wrong += bool(walked.trouble)
    return 1 if wrong else 0


def _kills(name: str, times: int) -> int:
    """One machine whose power goes away so many times."""

    def told(cut: kills.Cut) -> None:
        tell(
            f"      {cut.command} cut off after {cut.after_s:.1f} s: {cut.told} lines told, lost: {cut.lost or 'none'}"
        )

    _sweep()
    with started(personality.load(name), build()) as aio:
        lived = kills.live(aio, times, told)
    lost = [line for cut in lived.cuts for line in cut.lost]
    told_of = sum(cut.told for cut in lived.cuts)
    tell(f"bench: {times} power cuts: {told_of} lines told before them, {len(lost)} of them not on record")
    for ending, count in sorted(lived.outcomes.items()):
        tell(f"      {count} runs: {ending}")
    for trouble in lived.troubles:
        tell(f"      {trouble}")
    return 1 if lost or lived.troubles else 0


def _loops(names: Sequence[str]) -> int:
    """One machine for each loop, one after the other."""
    chosen = [one for one in loops.loops() if not names or any(fnmatchcase(one.name, name) for name in names)]
    if not chosen:
        tell(f"bench: there are these loops: {', '.join(one.name for one in loops.loops())}")
        return 2
    _sweep()
    image = build()
    wrong = 0
    for one in chosen:
        tell(f"bench: {one.name} ({one.symptom})")
        with restored(personality.load("aio-24"), image) as aio:
            walked = loops.walk(one, aio)
        replay_s, still_s, gone_s = walked.seconds
        times = f"replay {replay_s:.0f} s, verify {still_s:.0f} s and {gone_s:.0f} s"
        print(
            f"{'FAILED' if walked.trouble else 'passed'} {one.name}: {walked.fault}, {times} {walked.trouble}".rstrip()
        )
        wrong += bool(walked.trouble)
    return 1 if wrong else 0


def _ready(image: Image, chosen: Sequence[Scenario]) -> Image:
    """All snapshots that will be needed; here, where Ctrl-C is heard at once."""
    for name in sorted({s.personality for s in chosen if not s.cold}):
        snapshot(personality.load(name), image)
    return image


def _shell(chosen: Sequence[Scenario], name: str) -> int:
    image = build()
    if not chosen:
        with restored(personality.load(name), image) as aio:
            shell.stand_in(aio, f"{aio.personality.title}. `aiodiag selfcheck` checks it.")
        return 0
    scenario = chosen[0]

    def instead(aio: VirtualAio) -> NoReturn:
        shell.stand_in(aio, f"{scenario.name}: {scenario.fault} `aiodiag selfcheck` should find it.")
        raise _Left

    with contextlib.suppress(_Left):
        Bench(image, lambda *_: None).stand_in(scenario, instead)
    return 0


class _Left(Exception):
    """The person has left the shell; the scenario ends here, with its fault taken out again."""


def _keep(scenario: Scenario, aio: VirtualAio) -> NoReturn:
    shell.open_shell(aio)
    words = " ".join(shell.command(aio))
    tell(f"bench: {scenario.name} is kept until Ctrl-C; in another terminal: {words}   (Ctrl-] leaves)")
    while True:
        time.sleep(1)
        aio.guest.ping(60)


def _sweep() -> None:
    """Remove what machines left in memory whose bench was killed."""
    for folder in SHM.glob("aio-*"):
        owner = re.fullmatch(r"aio-(\d+)-.+", folder.name)
        if owner and not Path(f"/proc/{owner[1]}").exists():
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
