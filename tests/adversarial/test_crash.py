"""Killed at every step of sealing, spooling and receiving, then started again: nothing is lost, nothing half accepted.

A step is a call that changes what is on the disk, or makes it last. A child of the test does the work with the real
code and is killed just before its n-th call of one kind, for every n until it gets to its end.
"""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from botocore.client import BaseClient
from sqlalchemy import Engine, event, select

from server_stub import enrolment
from server_stub.cases import open_case
from server_stub.db import Bundle, Case, Upload
from server_stub.receipts import receipt
from server_stub.receiver import Receiver
from server_stub.settings import Settings
from server_stub.uploads.headers import Creation
from server_stub.uploads.writer import Writer
from tests.device import Device
from tests.receiver_process import serving
from tests.sending_unit import SendingUnit, check_delivered
from tests.storages import BOTH, Storage, storage_environment
from tests.unit.uploader.support import BINDING, write_run
from uploader.bundle.seal import seal
from uploader.bundle.verify import open_bundle
from uploader.keys import DeviceKey
from uploader.outbox import Entry, Outbox, State

pytestmark = pytest.mark.adversarial

SERIAL = "HB24A0017"
MOST = 200
"""More steps than any of this has: a work that never ends is a failure."""
OF_DATABASE = ("begin", "commit", "checkin")
"""A database's own calls are not Python's: its transactions are the steps, before and after they are committed."""
KEEPS = {"sqlite+files": "link", "postgresql+s3": "_make_api_call"}
"""What takes a bundle into the store: a link to it, or a request to the S3 server."""


def killed_before(step: int, kind: str, work: Callable[[], object]) -> bool:
    """Do ``work`` in a child that is killed before its ``step``-th call of a kind, from 1; says whether it was."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            _count(step, kind)
            work()
            status = 0
        finally:
            os._exit(status)
    _, ended = os.waitpid(pid, 0)
    if os.WIFSIGNALED(ended):
        assert os.WTERMSIG(ended) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(ended) == 0, f"failed before step {step}"
    return False


def _count(step: int, kind: str) -> None:
    left = step

    def here(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    if kind in OF_DATABASE:
        event.listen(Engine, kind, here)
        return
    place = BaseClient if kind == KEEPS["postgresql+s3"] else os
    call = getattr(place, kind)

    def counted(*args: object, **named: object) -> object:
        here()
        return call(*args, **named)

    setattr(place, kind, counted)


def steps(kind: str, prepare: Callable[[int], Callable[[], object]], check: Callable[[int], None]) -> None:
    """Kill before every call of a kind in turn. ``prepare`` gives the work on ground of its own, ``check`` looks at
    what is left.
    """
    for step in range(1, MOST):
        was_killed = killed_before(step, kind, prepare(step))
        check(step)
        if not was_killed:
            assert step > 1, f"it never calls {kind}"
            return
    pytest.fail("it never comes to its end")


@pytest.mark.parametrize("kind", ["mkdir", "open", "fsync", "replace"])
def test_sealing(kind: str, tmp_path: Path) -> None:
    """The bundle is there whole or not at all; sealing again gives one, and no number is given twice."""
    runs: dict[int, Path] = {}

    def work(step: int) -> Callable[[], object]:
        folder = tmp_path / str(step)
        runs[step] = write_run(folder / "run")
        return lambda: seal(runs[step], folder / "out", DeviceKey.load_or_create(folder / "key"), BINDING)

    def check(step: int) -> None:
        folder = tmp_path / str(step)
        left = [path for path in folder.glob("out/*") if not path.name.startswith(".")]
        numbers = []
        for path in left:
            with open_bundle(path) as bundle:
                numbers.append(bundle.statement.run.sequence)
        again = seal(runs[step], folder / "out", DeviceKey.load_or_create(folder / "key"), BINDING)
        with open_bundle(again.path, key=DeviceKey.load_or_create(folder / "key").public) as bundle:
            assert bundle.statement.run.sequence > max(numbers, default=0)

    steps(kind, work, check)


@pytest.fixture
def sealed(tmp_path: Path) -> tuple[Device, bytes, Path]:
    device = Device(tmp_path / "device", SERIAL)
    made = device.bundle("HB26-483920-5")
    return device, made.path.read_bytes(), made.path


@pytest.mark.parametrize("kind", ["open", "fsync", "replace"])
def test_putting_into_the_outbox(kind: str, tmp_path: Path, sealed: tuple[Device, bytes, Path]) -> None:
    """Every bundle that the outbox shows is whole; adding it again makes it good."""
    _, content, path = sealed

    def add(step: int) -> Entry:
        return Outbox(tmp_path / str(step)).add(path, rma="HB26-483920-5", server="https://receiver.example")

    def check(step: int) -> None:
        outbox = Outbox(tmp_path / str(step))
        for entry in outbox.entries():
            assert entry.state is State.WAITING
            assert outbox.bundle(entry).read_bytes() == content
        add(step)
        [entry] = outbox.entries()
        assert (entry.state, outbox.bundle(entry).read_bytes()) == (State.WAITING, content)
        assert [file for file in (tmp_path / str(step)).iterdir() if file.name.startswith(".")] == []

    steps(kind, lambda step: lambda: add(step), check)


@pytest.mark.parametrize("kind", ["open", "fsync", "replace"])
def test_sending_and_letting_go(kind: str, storage: Storage, tmp_path: Path) -> None:
    """The unit is killed anywhere between its first word and the receipt: the bundle is in the outbox or delivered, and
    the receiver has it once.
    """
    with serving(tmp_path / "receiver") as running:
        made: dict[int, tuple[SendingUnit, bytes]] = {}

        def work(step: int) -> Callable[[], object]:
            unit = SendingUnit(tmp_path / f"unit-{step}", running.quick_case(f"{SERIAL}-{step}"), running.url)
            unit.prepare()
            made[step] = (unit, unit.outbox.bundle(unit.entry).read_bytes())
            return unit.send

        def check(step: int) -> None:
            unit, content = made[step]
            if unit.entry.state is not State.DELIVERED:
                assert unit.outbox.bundle(unit.entry).read_bytes() == content
                unit.send()
            check_delivered(running, unit)
            assert running.stored(unit.entry.sha256) == content

        steps(kind, work, check)


class Ground:
    """A receiver's data with a case and an enrolled unit, and a bundle for it."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(folder / "data")
        device = Device(folder / "device", SERIAL)
        receiver = Receiver(self.settings)
        with receiver.db.write() as session:
            self.rma = open_case(session, serial=SERIAL, model="AIO 27").case.rma
        wanted = enrolment.Request.verify(device.enrolment(self.rma))
        with receiver.db.write() as session:
            nonce = enrolment.enrol(session, self.rma, wanted).nonce
        receiver.close()
        self.sealed = device.bundle(self.rma, nonce)
        self.content = self.sealed.path.read_bytes()

    def receive(self, parts: int = 3) -> None:
        """What the receiver does for a client that sends the bundle from where it ended, and asks for the receipt."""
        receiver = Receiver(self.settings)
        try:
            size = len(self.content)
            wanted = Creation(size, self.rma, SERIAL, hashlib.sha256(self.content).hexdigest(), "a.aiodiag.zip")
            upload = receiver.uploads.create(wanted)
            while (offset := receiver.uploads.get(upload.id).offset) < size:
                piece = self.content[offset : offset + size // parts + 1]
                writer = Writer.begin(receiver.uploads, upload.id, offset, hashlib.sha256(piece).digest())
                try:
                    writer.write(piece)
                    writer.finish()
                    if writer.whole:
                        receiver.intake.settle(upload.id, writer.token)
                finally:
                    writer.close()
            receiver.intake.settle_pending([upload.id])
        finally:
            receiver.close()

    def check(self) -> str:
        """Start again: says how far it was. What counts is what was sent, and the rest can be sent."""
        receiver = Receiver(self.settings)
        try:
            with receiver.db.read() as session:
                uploads = list(session.scalars(select(Upload)))
                bundles = list(session.scalars(select(Bundle)))
            assert len(uploads) <= 1
            assert len(bundles) <= 1
            how = "nothing"
            for upload in uploads:
                assert upload.lease is None
                how = f"{upload.offset} of {upload.length}" if upload.offset < upload.length else "whole"
                if upload.offset == upload.length:
                    assert bundles, "whole, and not judged at the next start"
                else:
                    spooled = receiver.uploads.path(upload.id)
                    held = spooled.read_bytes() if upload.offset else b""
                    assert held[: upload.offset] == self.content[: upload.offset]
            for bundle in bundles:
                assert (bundle.state.value, bundle.fresh) == ("accepted", True)
                with receiver.blobs.local(bundle.sha256) as file:
                    assert file.read_bytes() == self.content
        finally:
            receiver.close()
        self.receive()
        self._delivered()
        return how

    def _delivered(self) -> None:
        receiver = Receiver(self.settings)
        try:
            with receiver.db.read() as session:
                [bundle] = session.scalars(select(Bundle))
                assert (bundle.state.value, bundle.fresh, bundle.reason) == ("accepted", True, "")
                case = session.get_one(Case, bundle.case_id)
                assert receipt(receiver.key, case, bundle, "https://receiver.example/")
            with receiver.blobs.local(self.sealed.sha256) as file:
                assert file.read_bytes() == self.content
            assert list(self.settings.spool.iterdir()) == []
        finally:
            receiver.close()


@dataclass(frozen=True)
class Grounds:
    """One for each step, with a storage of its own."""

    kind: str
    """Of storage."""
    folder: Path
    request: pytest.FixtureRequest
    storages: ExitStack
    made: dict[int, Ground] = field(default_factory=dict)

    def make(self, step: int) -> Ground:
        self.storages.enter_context(storage_environment(self.kind, self.request))
        self.made[step] = Ground(self.folder / str(step))
        return self.made[step]


@pytest.fixture(params=BOTH)
def grounds(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Grounds]:
    with ExitStack() as storages:
        yield Grounds(request.param, tmp_path, request, storages)


@pytest.mark.parametrize("kind", ["open", "fsync", "pwrite", "ftruncate", "keep", "unlink", *OF_DATABASE])
def test_receiving(kind: str, grounds: Grounds) -> None:
    """The receiver is killed anywhere between its start and the receipt."""
    seen: dict[str, int] = {}

    def check(step: int) -> None:
        how = grounds.made[step].check()
        seen[how] = seen.get(how, 0) + 1

    steps(KEEPS[grounds.kind] if kind == "keep" else kind, lambda step: grounds.make(step).receive, check)
    print(seen)
    if kind == "commit":  # of all steps, the ones after which something new is true
        assert {"nothing", "whole"} < set(seen)


@pytest.mark.parametrize("kind", ["open", "unlink", "commit"])
def test_starting_after_a_crash_that_is_followed_by_another(kind: str, grounds: Grounds) -> None:
    """The receiver died with a whole upload that was not judged yet; its next start is killed as well."""
    about_to_keep = {"sqlite+files": 1, "postgresql+s3": 2}  # the first request to S3 asks for the bucket

    def work(step: int) -> Callable[[], object]:
        ground = grounds.make(step)
        assert killed_before(about_to_keep[grounds.kind], KEEPS[grounds.kind], ground.receive)
        return lambda: Receiver(ground.settings).close()

    steps(kind, work, lambda step: grounds.made[step].check())
