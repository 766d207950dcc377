"""A unit with a sealed bundle of any size in its outbox, and a key and a case of its own: it has only to send it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from server_stub import db
from server_stub.db.models import BundleState, UploadState
from server_stub.settings import Settings
from server_stub.storage import open_database
from tests.device import Contents, Device
from tests.receiver_process import Case, ReceiverProcess
from uploader.outbox import Entry, Outbox
from uploader.receipt import Receipt
from uploader.receiver import Receiver as Peer
from uploader.send import Retries, send

PATIENT = Retries()


@dataclass(frozen=True)
class SendingUnit:
    """``folder`` holds the state of the unit; ``url`` is where the receiver answers."""

    folder: Path
    case: Case
    url: str

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.folder / "outbox")

    @property
    def device(self) -> Device:
        return Device(self.folder / "device", self.case.serial)

    @property
    def peer(self) -> Peer:
        """The receiver, as this unit sees it: over a connection of its own."""
        return Peer(self.url, self.folder / "state")

    @property
    def entry(self) -> Entry:
        [entry] = self.outbox.entries()
        return entry

    def prepare(self, size: int = 0) -> None:
        """Enrol, and seal a run with a picture of ``size`` bytes, which does not compress."""
        device = self.device
        nonce = self.peer.enrol(self.case.rma, self.case.serial, device.key).nonce
        sealed = device.bundle(self.case.rma, nonce, Contents(photograph=size))
        self.outbox.add(sealed.path, rma=self.case.rma, server=self.url)
        shutil.rmtree(device.folder / "runs")
        sealed.path.unlink()

    def send(self, retries: Retries = PATIENT) -> Receipt:
        return send(self.outbox, self.entry, self.peer, retries=retries)


def check_delivered(receiver: ReceiverProcess, unit: SendingUnit) -> int:
    """The unit has a receipt for these very bytes, and the receiver has them; gives how many they are."""
    receipt = receiver.receipt(unit.entry.to_json())  # raises where there is none
    stored = receiver.stored(receipt.sha256)
    assert hashlib.sha256(stored).hexdigest() == unit.entry.sha256 == receipt.sha256
    return len(stored)


def check_nothing_else(receiver: ReceiverProcess, units: Sequence[SendingUnit]) -> list[str]:
    """One accepted bundle for each of them, and no row, file or byte more; gives the uploads that are not whole."""
    expected = sorted((unit.case.rma, unit.entry.sha256) for unit in units)
    digests = sorted(sha256 for _, sha256 in expected)
    settings = Settings(receiver.data)
    with open_database(settings) as database, database.read() as session:
        of_case = select(db.Case.rma, db.Bundle.sha256, db.Bundle.state, db.Bundle.fresh)
        bundles = session.execute(of_case.join(db.Case, db.Case.id == db.Bundle.case_id)).all()
        uploads = session.execute(select(db.Upload.id, db.Upload.sha256, db.Upload.state)).all()
    assert sorted((rma, sha256) for rma, sha256, _, _ in bundles) == expected
    assert {(state, fresh) for _, _, state, fresh in bundles} == {(BundleState.ACCEPTED, True)}
    assert sorted(sha256 for _, sha256, state in uploads if state is UploadState.SETTLED) == digests
    assert sorted(path.stem for path in settings.bundles.rglob("*.zip")) == digests
    unfinished = [upload for upload, _, state in uploads if state is UploadState.RECEIVING]
    assert len(unfinished) == len(uploads) - len(units)
    assert {path.name for path in settings.spool.iterdir()} <= set(unfinished)
    return unfinished
