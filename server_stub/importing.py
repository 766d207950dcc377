"""Bundles that come by hand: taken through the very same intake as an upload.

Works beside a receiver that runs on the same data directory: what keeps two uploads apart keeps this apart, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from sqlalchemy import select

from server_stub import audit, enrolment
from server_stub.age import MAGIC, AgeIdentity, AgeRejected
from server_stub.cases import find_by_serial
from server_stub.db import Bundle, Database, Upload
from server_stub.db.models import BundleState, UploadState
from server_stub.intake import Intake
from server_stub.problems import Problem, unknown_case
from server_stub.settings import Settings
from server_stub.storage import open_blobs, open_database
from server_stub.uploads import Uploads
from server_stub.uploads.headers import Creation
from server_stub.uploads.writer import Writer
from uploader.bundle.format import FILE_SUFFIX, MAX_BUNDLE, Run
from uploader.bundle.verify import BundleRejected, open_bundle

_PIECE = 1 << 20


class ImportRefused(Exception):
    """Nothing was taken in."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a bundle; ``reason`` says why it is in quarantine."""

    rma: str
    bundle: Bundle

    @property
    def accepted(self) -> bool:
        """Whether the intake believes the bundle."""
        return self.bundle.state is BundleState.ACCEPTED


def import_file(settings: Settings, file: Path, rma: str | None) -> Imported:
    """Take a bundle in, encrypted to this receiver or plain. ``rma`` is for one that was sealed without a case.

    Whole and signed by the key that it names it must be, or nothing of it is kept; whatever else speaks against it is
    the intake's to say, which keeps it in quarantine then. The same bundle again changes nothing. Raises
    :class:`ImportRefused`, ``KeyUnusable``, and ``OSError``.
    """
    settings.prepare()
    identity = AgeIdentity.load_or_create(settings.age)
    # A file without a name: whatever happens, it is gone afterwards.
    with file.open("rb") as given, TemporaryFile(dir=settings.spool) as plain:
        try:
            _decrypted(identity, given, plain)
            with open_bundle(plain) as opened:
                run, sha256, size = opened.statement.run, opened.sha256, opened.size
            number = _case_number(run, rma)
            wanted = Creation(size, number, run.serial, sha256, f"{run.bundle_id}{FILE_SUFFIX}")
            with open_database(settings) as database:
                return _take(settings, database, plain, run, wanted)
        except (BundleRejected, AgeRejected) as error:
            raise ImportRefused(f"{file}: {error}") from error
        except Problem as error:
            raise ImportRefused(f"{file}: {error.detail}") from error


def _decrypted(identity: AgeIdentity, given: BinaryIO, plain: BinaryIO) -> None:
    """Write what ``given`` holds into ``plain``, in the clear."""
    if given.read(len(MAGIC)) == MAGIC:
        given.seek(0)
        identity.decrypt(given, plain)
    else:
        given.seek(0)
        while piece := given.read(_PIECE):
            if plain.tell() + len(piece) > MAX_BUNDLE:
                raise AgeRejected("the file is larger than a bundle can be")
            plain.write(piece)
    plain.flush()


def _case_number(run: Run, rma: str | None) -> str:
    if run.rma is None and rma is None:
        raise ImportRefused("the bundle was sealed without an RMA number; give the case's with --rma")
    if rma is not None and run.rma not in {None, rma}:
        raise ImportRefused(f"the bundle was sealed for {run.rma}")
    return rma or run.rma or ""


def _take(settings: Settings, database: Database, plain: BinaryIO, run: Run, wanted: Creation) -> Imported:
    uploads = Uploads(database, settings.spool)
    intake = Intake(database, open_blobs(settings), uploads)
    _introduce(database, run, wanted)
    upload = uploads.create(wanted)
    if upload.state is UploadState.RECEIVING:
        _write(uploads, intake, upload, plain)
    with database.read() as session:
        bundle = session.scalars(select(Bundle).where(Bundle.upload_id == upload.id)).one_or_none()
        if bundle is None:
            raise ImportRefused("the bundle is here, but not judged yet; import it again")
        return Imported(wanted.rma, bundle)


def _introduce(database: Database, run: Run, wanted: Creation) -> None:
    """A unit that was never online has no key here. Its bundle shows, as an enrolment does, that its sealer holds the
    key: so that is its first use. Where another key is enrolled, it is set aside for staff as ever.
    """
    with database.write() as session:
        rma = wanted.rma
        case = find_by_serial(session, rma, run.serial)
        if case is None:
            raise unknown_case()
        detail = {"sha256": wanted.sha256, "bundle_id": run.bundle_id, "keyid": run.key.keyid}
        audit.record(session, "bundle-imported", audit.of_case(case.rma), **detail)
        key = enrolment.enrolled_key(session, case.unit_id)
        if key is None or key.keyid != run.key.keyid:
            enrolment.enrol(session, rma, enrolment.Request(rma, run.serial, run.key, run.key_protection, None))


def _write(uploads: Uploads, intake: Intake, upload: Upload, plain: BinaryIO) -> None:
    """Add what is missing of an upload, which may have been begun over a network, and have it judged."""
    if upload.offset == upload.length:
        intake.settle_pending([upload.id])
        return
    writer = Writer.begin(uploads, upload.id, upload.offset, None)
    try:
        plain.seek(upload.offset)
        while piece := plain.read(_PIECE):
            writer.write(piece)
        writer.finish()
        intake.settle(upload.id, writer.token)
    finally:
        writer.close()
