"""Uploads in the database: who they belong to, how far they are, and who may write to them now."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import CursorResult, Update, or_, select, update
from sqlalchemy.orm import Session

from server_stub import audit
from server_stub.cases import find_by_serial, note
from server_stub.clock import now
from server_stub.db import Case, Database, Upload
from server_stub.db.models import UploadState
from server_stub.enrolment import has_keys
from server_stub.problems import Problem, unknown_case
from server_stub.settings import LEASE_S
from server_stub.uploads.headers import Creation

Admission = Callable[[Session, Case, int, Path], None]
"""Whether there is room for an upload of so many bytes for a case, in this spool directory."""


class Uploads:
    """The uploads, and the spool directory with their bytes."""

    def __init__(self, db: Database, spool: Path) -> None:
        self._db = db
        self._spool = spool

    def path(self, upload_id: str) -> Path:
        """The spool file. It may be longer than the offset says: those bytes do not count."""
        return self._spool / upload_id

    def create(self, wanted: Creation, admit: Admission | None = None) -> Upload:
        """A new upload, or the one that there is for this case and digest.

        Raises :class:`Problem`: ``unknown-case``, ``not-enrolled``, ``conflict`` when the same digest was announced
        with another length, and what ``admit`` raises, which is asked before a new one is made.
        """
        with self._db.write() as session:
            case = find_by_serial(session, wanted.rma, wanted.serial)
            if case is None:
                raise unknown_case()
            if not has_keys(session, case.unit_id):
                raise Problem("not-enrolled", "Enrol the unit's key first.")
            known = _known(session, case, wanted)
            if known is not None:
                return known
            if admit is not None:
                admit(session, case, wanted.length, self._spool)
            upload = Upload(
                id=secrets.token_hex(16),
                case_id=case.id,
                sha256=wanted.sha256,
                length=wanted.length,
                offset=0,
                filename=wanted.filename,
                state=UploadState.RECEIVING,
                lease=None,
                lease_until=None,
                created=now(),
            )
            session.add(upload)
            note(session, case, "upload-started", sha256=wanted.sha256, size=wanted.length)
            detail = {"sha256": wanted.sha256, "size": wanted.length}
            audit.record(session, "upload-created", audit.of_case(case.rma), **detail)
            return upload

    def get(self, upload_id: str) -> Upload:
        """Raises :class:`Problem` (``not-found``)."""
        with self._db.read() as session:
            upload = session.get(Upload, upload_id)
        if upload is None:
            raise Problem("not-found", "There is no such upload.")
        return upload

    def acquire(self, upload_id: str) -> str | None:
        """The lease on an upload that is not settled; ``None`` when somebody else has it.

        A lease ends when its holder gives it back, when nothing came for ``LEASE_S`` seconds, or when the receiver
        starts again: no power cut need find it on the disk.
        """
        token = secrets.token_hex(8)
        free = or_(Upload.lease.is_(None), Upload.lease_until < now())
        statement = update(Upload).where(Upload.id == upload_id, Upload.state == UploadState.RECEIVING, free)
        with self._db.write(lasting=False) as session:
            taken = _changed(session, statement.values(lease=token, lease_until=_until()))
        return token if taken else None

    def advance(self, upload_id: str, token: str, old: int, new: int, *, last: bool = False) -> bool:
        """Move the offset from ``old`` to ``new`` and keep the lease, or give it back with the ``last`` bytes of a
        request; false when the lease or the offset is lost.
        """
        lease = {"lease": None, "lease_until": None} if last else {"lease_until": _until()}
        statement = update(Upload).where(Upload.id == upload_id, Upload.lease == token, Upload.offset == old)
        with self._db.write() as session:
            return _changed(session, statement.values(offset=new, **lease))

    def release(self, upload_id: str, token: str) -> None:
        """Give a lease back; nothing happens when it is not held any more."""
        statement = update(Upload).where(Upload.id == upload_id, Upload.lease == token)
        with self._db.write(lasting=False) as session:
            session.execute(statement.values(lease=None, lease_until=None))

    def remove(self, upload_id: str) -> None:
        """Forget an upload and its bytes. Raises :class:`Problem`: ``not-found``, or ``conflict`` when it is being
        written to or is whole: what has been received is kept as evidence.
        """
        with self._db.write() as session:
            upload = session.get(Upload, upload_id)
            if upload is None:
                raise Problem("not-found", "There is no such upload.")
            if upload.offset == upload.length:
                raise Problem("conflict", "This bundle has been received; it is kept.")
            if upload.lease is not None and upload.lease_until is not None and upload.lease_until >= now():
                raise Problem("conflict", "Somebody is writing to this upload.")
            case = session.get_one(Case, upload.case_id)
            detail = {"sha256": upload.sha256, "size": upload.length, "came": upload.offset}
            audit.record(session, "upload-terminated", audit.of_case(case.rma), **detail)
            session.delete(upload)
        self.path(upload_id).unlink(missing_ok=True)

    def recover(self) -> Sequence[str]:
        """After a start: nobody holds a lease any more, and spool files that nothing refers to go.

        Returns the uploads that are whole and were not judged yet.
        """
        with self._db.write() as session:
            session.execute(update(Upload).values(lease=None, lease_until=None))
            open_ids = set(session.scalars(select(Upload.id).where(Upload.state == UploadState.RECEIVING)))
            whole = select(Upload.id).where(Upload.state == UploadState.RECEIVING, Upload.offset == Upload.length)
            pending = session.scalars(whole).all()
        for file in self._spool.iterdir():
            if file.name not in open_ids:
                file.unlink()
        return pending


def _known(session: Session, case: Case, wanted: Creation) -> Upload | None:
    known = session.scalar(
        select(Upload).where(
            Upload.case_id == case.id, Upload.sha256 == wanted.sha256, Upload.state != UploadState.MISMATCHED
        )
    )
    if known is not None and known.length != wanted.length:
        raise Problem("conflict", "This digest was announced with another length.")
    return known


def _changed(session: Session, statement: Update) -> bool:
    result = session.execute(statement)
    return isinstance(result, CursorResult) and result.rowcount == 1


def _until() -> datetime:
    return now() + timedelta(seconds=LEASE_S)
