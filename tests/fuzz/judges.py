"""The two that judge: the verification of a bundle, and the receiver's intake. Each says what is wrong with its own
answer, or nothing.
"""

from __future__ import annotations

import hashlib
import io
import shutil

from sqlalchemy import select

from server_stub.db import Bundle
from server_stub.db.models import BundleState
from server_stub.receiver import Receiver
from server_stub.uploads.headers import Creation
from server_stub.uploads.writer import Writer
from tests.fuzz.mutant import Mutant, Seed
from uploader.bundle.verify import BundleRejected, VerifiedBundle, open_bundle

REFUSED, BELIEVED = "refused", "believed"


class Wrong(Exception):
    """A mutant was believed that nobody should believe."""


def verify(mutant: Mutant, seed: Seed, keys: frozenset[str]) -> str:
    """Open the mutant against the unit's key, and against none. ``keys`` are the ids of all units' keys."""
    try:
        with open_bundle(io.BytesIO(mutant.data), key=seed.key.public) as bundle:
            _read(bundle)
    except BundleRejected:
        answer = REFUSED
    else:
        answer = BELIEVED
        if not mutant.by_unit:
            raise Wrong("believed as sealed by the unit")
    try:
        with open_bundle(io.BytesIO(mutant.data)) as bundle:
            if bundle.key.keyid in keys and not mutant.by_unit:
                raise Wrong("believed with a unit's key inside")
            if bundle.sha256 != hashlib.sha256(mutant.data).hexdigest() or bundle.size != len(mutant.data):
                raise Wrong("believed without having read all of it")
            _read(bundle)
    except BundleRejected:
        pass
    return answer


def _read(bundle: VerifiedBundle) -> None:
    """All that can be read of it, as the readers of bundles do."""
    for name in bundle.names:
        try:
            bundle.read_attachment(name)
        except BundleRejected:
            continue
    for _ in bundle.journal():
        pass


def take_in(mutant: Mutant, seed: Seed, receiver: Receiver) -> str:
    """Upload the mutant to the unit's case, as a tus client does, and see what the intake makes of it."""
    sha256 = hashlib.sha256(mutant.data).hexdigest()
    upload = receiver.uploads.create(Creation(len(mutant.data), seed.rma, seed.serial, sha256, "a.aiodiag.zip"))
    if upload.offset < upload.length:
        writer = Writer.begin(receiver.uploads, upload.id, 0, bytes.fromhex(sha256))
        try:
            writer.write(mutant.data)
            writer.finish()
            receiver.intake.settle(upload.id, writer.token)
        finally:
            writer.close()
    with receiver.db.read() as session:
        state = session.scalars(select(Bundle.state).where(Bundle.upload_id == upload.id)).one()
    if state is BundleState.QUARANTINED:
        return REFUSED
    if not mutant.by_unit:
        raise Wrong("accepted by the receiver")
    return BELIEVED


def forget_files(receiver: Receiver) -> None:
    """What was taken in is kept as evidence; here it would only fill the disk."""
    for folder in receiver.settings.bundles.iterdir():
        shutil.rmtree(folder)
