"""Receiver and units, processes that are killed at any moment of an upload: every bundle arrives, once and as it was
sealed, and what the receiver said it had is never sent again.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.context import ForkProcess
from pathlib import Path

import pytest

from server_stub.settings import Settings
from tests.receiver_process import ForkedReceiver, ReceiverProcess, serving
from tests.sending_unit import SendingUnit, check_delivered, check_nothing_else
from uploader.http import Unreachable
from uploader.outbox import State
from uploader.send import Retries
from uploader.tus import Upload

pytestmark = pytest.mark.adversarial

KILLS = int(os.environ.get("AIODIAG_KILLS", "60"))
"""Kills that hit an upload in its middle: the receiver knows of it, and has not all of it. Others come besides."""
SIZE = 20_000_000
"""Bytes of a bundle: five parts of the uploader's."""
VICTIMS = ("unit", "receiver", "both")
QUICK = Retries(limit=100, first_s=0.01, most_s=0.1)
PAUSED_S = 30.0
"""Seconds after which a unit that does not come to an end is a failure."""


def insist(unit: SendingUnit) -> None:
    """Send, and send again when a receiver that is not there at all ends that with a word: its owner would, too."""
    while unit.entry.state is not State.DELIVERED:
        try:
            unit.send(QUICK)
        except Unreachable:
            time.sleep(0.05)


@dataclass
class Sending:
    """A unit, the process that sends its bundle, and what the receiver had of it when it was last looked."""

    unit: SendingUnit
    process: ForkProcess | None = None
    offset: int = 0
    content: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.unit.prepare(SIZE)
        self.content = self.unit.outbox.bundle(self.unit.entry).read_bytes()

    def start(self) -> None:
        if self.process is None:
            self.process = get_context("fork").Process(target=insist, args=(self.unit,))
            self.process.start()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.join()
        self.process = None

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """Not to go on while somebody looks, if it is still there."""
        self._signal(signal.SIGSTOP)
        yield
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self.process is not None and self.process.is_alive():
            os.kill(self.process.pid or 0, number)

    def ended(self, within_s: float) -> bool:
        """Whether it came to its end by itself."""
        assert self.process is not None
        self.process.join(within_s)
        if self.process.exitcode is None:
            return False
        assert self.process.exitcode == 0
        self.process = None
        return True

    def check(self, receiver: ReceiverProcess) -> str:
        """What there is of it after a kill counts, and it is right; says how far it was."""
        entry = self.unit.entry
        if entry.state is State.DELIVERED:
            check_delivered(receiver, self.unit)
            return "delivered"
        assert self.unit.outbox.bundle(entry).read_bytes() == self.content
        if entry.upload_url is None:
            return "not begun"
        offset, held = self._received(receiver, Upload(self.unit.peer.http, entry.upload_url))
        assert offset is not None, "the receiver has forgotten the upload"
        assert offset >= self.offset, "the receiver has forgotten bytes"
        self.offset = offset
        if offset == len(self.content):
            return "whole"
        assert held[:offset] == self.content[:offset]
        return "in the middle"

    def _received(self, receiver: ReceiverProcess, upload: Upload) -> tuple[int | None, bytes]:
        """The offset and the bytes at one moment: the receiver may still be taking in a last part."""
        spooled = Settings(receiver.data).spool / upload.url.rpartition("/")[2]
        while True:
            offset = upload.offset(len(self.content))
            held = spooled.read_bytes() if spooled.exists() else b""
            if upload.offset(len(self.content)) == offset:
                return offset, held


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[ReceiverProcess]:
    with serving(tmp_path / "receiver", ForkedReceiver) as running:
        yield running
    shutil.rmtree(tmp_path)  # pytest would keep it, and it is large


def another(receiver: ReceiverProcess, folder: Path) -> Sending:
    case = receiver.quick_case(f"AIO24-KILLED-{sum(1 for _ in folder.iterdir())}")
    return Sending(SendingUnit(folder / case.serial, case, receiver.url))


def test_killed_at_any_moment_of_an_upload(receiver: ReceiverProcess, tmp_path: Path) -> None:
    seed = random.randrange(1 << 31)
    print(f"seed {seed}")
    chance = random.Random(seed)
    first = another(receiver, tmp_path)
    began = time.monotonic()
    first.start()
    assert first.ended(PAUSED_S)
    longest_s = time.monotonic() - began
    units, seen = [first.unit], Counter[str]()
    while seen["in the middle"] < KILLS:
        sending = another(receiver, tmp_path)
        units.append(sending.unit)
        while seen["in the middle"] < KILLS:
            sending.start()
            if sending.ended(chance.uniform(0, longest_s / 2)):
                break
            victim = chance.choice(VICTIMS)
            if victim != "receiver":
                sending.kill()
            if victim != "unit":
                receiver.kill()
            with sending.held_up():
                if victim != "unit":
                    receiver.start()
                seen[sending.check(receiver)] += 1
            seen[f"killed: {victim}"] += 1
        sending.start()
        assert sending.ended(PAUSED_S)
    print(f"{len(units)} bundles: {dict(seen)}")
    for unit in units:
        check_delivered(receiver, unit)
    assert check_nothing_else(receiver, units) == []
    assert min(seen[f"killed: {victim}"] for victim in VICTIMS) > KILLS / 10
