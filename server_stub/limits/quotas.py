"""Quotas: how much of the disk, and of staff's attention, one case may take. Counted from the rows that are there
anyway, in the transaction that would add one: so they hold over a restart, and whoever shares the database agrees.
"""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from server_stub import audit
from server_stub.clock import now
from server_stub.db import Bundle, Case, Upload
from server_stub.db.models import UploadState
from server_stub.limits.buckets import Limits, too_many
from server_stub.limits.table import BUNDLES_OF_CASE, BYTES_OF_CASE, DAY, GIVEN_UP_AFTER, SPARE, UNFINISHED_OF_CASE
from server_stub.problems import Problem


def admit(limits: Limits, session: Session, case: Case, length: int, spool: Path) -> None:
    """Whether a new upload of ``length`` bytes may be begun for a case; ``spool`` is where its bytes would go.

    Raises :class:`Problem`: ``case-full`` (403: trying again does not help), ``no-room`` (507), ``too-many-requests``
    (429, with the time after which it is worth trying).
    """
    session.execute(select(Case.id).where(Case.id == case.id).with_for_update())  # two at one moment are counted both
    bundles = session.scalar(select(func.count()).select_from(Bundle).where(Bundle.case_id == case.id))
    if (bundles or 0) >= BUNDLES_OF_CASE:
        raise Problem("case-full", f"This case has {BUNDLES_OF_CASE} bundles and takes no more.")
    if shutil.disk_usage(spool).free < length + SPARE:
        raise Problem("no-room", "The receiver's disk is full. Its operator has to make room.")
    _bytes(session, case, length)
    _unfinished(session, case, spool)
    limits.spend("creations-of-case", case.rma)


def _bytes(session: Session, case: Case, length: int) -> None:
    """What was announced for the case within a day."""
    since = now() - DAY
    recent = session.execute(
        select(Upload.created, Upload.length)
        .where(Upload.case_id == case.id, Upload.created > since)
        .order_by(Upload.created)
    ).all()
    over = sum(size for _, size in recent) + length - BYTES_OF_CASE
    for created, size in recent if over > 0 else []:
        over -= size
        if over <= 0:
            raise too_many((created + DAY - now()).total_seconds())


def _unfinished(session: Session, case: Case, spool: Path) -> None:
    """The oldest upload that nobody goes on with makes room, when it is old enough."""
    open_ones = session.scalars(
        select(Upload)
        .where(Upload.case_id == case.id, Upload.state == UploadState.RECEIVING, Upload.offset < Upload.length)
        .order_by(Upload.created)
    ).all()
    if len(open_ones) < UNFINISHED_OF_CASE:
        return
    oldest = next((upload for upload in open_ones if not _held(upload, now())), None)
    if oldest is None or oldest.created > now() - GIVEN_UP_AFTER:
        until = oldest.created + GIVEN_UP_AFTER if oldest is not None else now() + timedelta(minutes=1)
        raise too_many((until - now()).total_seconds())
    detail = {"sha256": oldest.sha256, "size": oldest.length, "came": oldest.offset}
    audit.record(session, "upload-given-up", audit.of_case(case.rma), **detail)
    session.delete(oldest)
    left_over = spool / oldest.id
    event.listen(session, "after_commit", lambda _session: left_over.unlink(missing_ok=True))


def _held(upload: Upload, moment: datetime) -> bool:
    return upload.lease is not None and upload.lease_until is not None and upload.lease_until >= moment
