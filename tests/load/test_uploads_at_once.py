"""A workshop whose units all send at the same moment to one receiver, while others ask it for small things."""

from __future__ import annotations

import itertools
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Self

import pytest
import requests

from server_stub.settings import API
from tests.device import encode_metadata, metadata
from tests.load.crowd import crowd
from tests.receiver_process import ReceiverProcess, serving
from tests.sending_unit import SendingUnit, check_delivered, check_nothing_else
from tests.unit.server.conftest import TUS

pytestmark = pytest.mark.load

UNITS, MEGABYTES = (int(n) for n in os.environ.get("AIODIAG_LOAD", "50x5").split("x"))
"""Units that send, and megabytes of each bundle; ``./dev load`` sends 200 times 20, which takes minutes."""
MEMORY = 500_000_000
"""Bytes of the receiver at most."""
ASKERS = 10
EVERY_S = 0.2
"""Between two questions of one kind: so the askers stay below what an address and a case may ask for."""


class Questions:
    """Small things that ``askers`` ask while it is entered, one after another of each kind, and how long each took."""

    def __init__(self, receiver: ReceiverProcess, askers: Sequence[SendingUnit]) -> None:
        self._url = receiver.url
        self._askers = askers
        for asker in askers:
            asker.prepare()
        self._uploads = [self._begun(asker) for asker in askers]
        kinds = {"status page": self._page, "nonce": self._nonce, "HEAD": self._head}
        self._seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
        self._answers = Counter[tuple[str, int]]()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=asked) for asked in kinds.items()]

    @property
    def answered(self) -> bool:
        """Whether every question was, and rightly."""
        return all(self._seconds.values()) and all(status == 200 for _, status in self._answers)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def print(self) -> None:
        for kind, seconds in self._seconds.items():
            cuts = quantiles(seconds, n=100, method="inclusive")
            print(
                f"{kind}: {len(seconds)} times, median {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms "
                f"(goal: below 500 ms), longest {max(seconds) * 1000:.0f} ms"
            )
        print({f"{kind} {status}": count for (kind, status), count in self._answers.items()})

    def _ask(self, kind: str, question: Callable[[requests.Session, int], requests.Response]) -> None:
        with requests.Session() as session:
            session.trust_env = False
            for number in itertools.count():
                began = time.monotonic()
                answer = question(session, number % len(self._askers))
                took = time.monotonic() - began
                self._seconds[kind].append(took)
                self._answers[kind, answer.status_code] += 1
                if self._over.wait(max(0.0, EVERY_S - took)):
                    return

    def _page(self, session: requests.Session, number: int) -> requests.Response:
        case = self._askers[number].case
        return session.get(f"{self._url}/", params={"rma": case.rma, "serial": case.serial}, timeout=100)

    def _nonce(self, session: requests.Session, number: int) -> requests.Response:
        asker = self._askers[number]
        enrolment = asker.device.enrolment(asker.case.rma)
        return session.post(f"{self._url}{API}/cases/{asker.case.rma}/enrolment", data=enrolment, timeout=100)

    def _head(self, session: requests.Session, number: int) -> requests.Response:
        return session.head(self._uploads[number], headers=TUS, timeout=100)

    def _begun(self, asker: SendingUnit) -> str:
        """An upload of which nothing has come yet."""
        content = asker.outbox.bundle(asker.entry).read_bytes()
        told = encode_metadata(metadata(asker.case.rma, asker.case.serial, content))
        headers = {**TUS, "Upload-Length": str(len(content)), "Upload-Metadata": told}
        created = requests.post(f"{self._url}{API}/uploads", headers=headers, timeout=100)
        return self._url + created.headers["location"]


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[ReceiverProcess]:
    with serving(tmp_path / "receiver") as running:
        yield running
    shutil.rmtree(tmp_path)  # pytest would keep it, and it is large


def units(receiver: ReceiverProcess, folder: Path, name: str, count: int) -> list[SendingUnit]:
    made = receiver.quick_cases([f"AIO24-{name}-{number:04}" for number in range(count)])
    return [SendingUnit(folder / case.serial, case, receiver.url) for case in made]


def test_none_is_lost_or_doubled(receiver: ReceiverProcess, tmp_path: Path) -> None:
    senders, askers = units(receiver, tmp_path, "SENDS", UNITS), units(receiver, tmp_path, "ASKS", ASKERS)
    with crowd(senders) as many:
        many.prepare(MEGABYTES * 1_000_000)
        with Questions(receiver, askers) as questions:
            began = time.monotonic()
            tries = many.send()
            took = time.monotonic() - began - 2
    sizes = [check_delivered(receiver, unit) for unit in senders]
    assert min(sizes) > MEGABYTES * 1_000_000
    assert len(check_nothing_else(receiver, senders)) == ASKERS
    print(f"\n{UNITS} bundles, {sum(sizes) / 1e6:.0f} MB, in {took:.1f} s: {sum(sizes) / 1e6 / took:.0f} MB/s")
    print(f"calls of send: {dict(Counter(tries))}; the receiver's peak memory: {receiver.peak_memory / 1e6:.0f} MB")
    questions.print()
    assert receiver.peak_memory < MEMORY
    assert questions.answered
