"""On a virtual all-in-one: the agent against the peers that people use today, in turns on one machine, and how soon a
restored machine takes commands.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from tests.bench import personality
from tests.bench.aio import VirtualAio, restored, snapshot
from tests.bench.image import Image, build
from tests.benchmarks.conftest import Report

NEEDED = ("qemu-system-x86_64", "mmdebstrap", "swtpm", "iasl")
pytestmark = [
    pytest.mark.benchmark_only,
    pytest.mark.skipif(
        any(shutil.which(p) is None for p in NEEDED), reason="./dev bench installs what a virtual all-in-one needs"
    ),
]

ROUNDS = 5
LIMIT_S = 600.0


@pytest.fixture(scope="module")
def image() -> Image:
    return build()


@pytest.fixture(scope="module")
def aio(image: Image) -> Iterator[VirtualAio]:
    with restored(personality.load("aio-24"), image) as running:
        yield running


def test_restore(image: Image, report: Report) -> None:
    kind = personality.load("aio-24")
    snapshot(kind, image)
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        with restored(kind, image) as fresh:
            fresh.guest.out("/usr/local/bin/aiodiag", "--version")
            taken.append(time.perf_counter() - began)
    report("restored until the agent's first answer", _words(taken), "2 s at most")


def test_probes_against_hw_probe(aio: VirtualAio, report: Report) -> None:
    _pair(aio, report, ("/usr/local/bin/aiodiag", "probe", "--json"), ("/usr/bin/hw-probe", "-all"))


def test_selfcheck_against_sos(aio: VirtualAio, report: Report) -> None:
    """sos gathers more than hardware and judges nothing; it is what support desks ask for."""
    sos = ("/usr/bin/sos", "report", "--batch", "--tmp-dir", "/var/tmp")
    _pair(aio, report, ("/usr/local/bin/aiodiag", "selfcheck", "--json"), sos)


def _pair(aio: VirtualAio, report: Report, ours: tuple[str, ...], theirs: tuple[str, ...]) -> None:
    """Both in turns, after one round that fills the caches."""
    taken: dict[str, list[float]] = {}
    for turn in range(ROUNDS + 1):
        for command in (ours, theirs):
            ran = aio.guest.run(*command, timeout_s=LIMIT_S)
            assert ran.status in (0, 1, 3), (command, ran.err[-300:])
            if turn:
                taken.setdefault(" ".join([Path(command[0]).name, command[1]]), []).append(ran.seconds)
    for name, seconds in taken.items():
        report(f"in a virtual AIO: {name}", _words(seconds), "")


def _words(seconds: list[float]) -> str:
    return f"{median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f}, {len(seconds)} times)"
