"""From a whole upload to a judged bundle: accepted, or kept in quarantine with the reason."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server_stub.blobs import Blobs
from server_stub.cases import note
from server_stub.clock import now
from server_stub.db import Bundle, Case, Database, Nonce, Upload
from server_stub.db.models import BundleState, UploadState
from server_stub.enrolment import enrolled_key
from server_stub.summary import UnreadableJournal, read_run, strict_findings
from server_stub.units import tidy_serial
from server_stub.uploads import Uploads
from uploader.bundle.format import Run
from uploader.bundle.verify import BundleRejected, open_bundle
from uploader.keys import PublicKey

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Judged:
    """What was found out about a bundle; ``reason`` is ``""`` when nothing is wrong with it."""

    reason: str = ""
    run: Run | None = None
    verdict: str = ""
    fresh: bool = False
    findings: list[dict[str, Any]] = field(default_factory=list)


class Intake:
    """Settles uploads."""

    def __init__(self, db: Database, blobs: Blobs, uploads: Uploads) -> None:
        self._db = db
        self._blobs = blobs
        self._uploads = uploads

    def settle(self, upload_id: str, token: str) -> None:
        """Judge a whole upload whose lease is ``token``. Once done it stays done; a crash at any point leaves the
        upload whole and unjudged, to be settled again.
        """
        upload = self._uploads.get(upload_id)
        spooled = self._uploads.path(upload_id)
        with spooled.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        judged = self._verify(upload, spooled, digest)
        self._blobs.keep(spooled, digest)
        with self._db.write() as session:
            if not _record(session, upload_id, token, digest, judged):
                return
        spooled.unlink(missing_ok=True)

    def settle_pending(self, upload_ids: list[str]) -> None:
        """Settle what a crash left behind; one that cannot be settled does not keep the receiver from starting."""
        for upload_id in upload_ids:
            token = self._uploads.acquire(upload_id)
            if token is None:
                continue
            try:
                self.settle(upload_id, token)
            except Exception:
                log.exception("upload %s could not be settled", upload_id)
            finally:
                self._uploads.release(upload_id, token)

    def _verify(self, upload: Upload, file: Path, digest: str) -> Judged:
        """What can be said without looking at other bundles."""
        if digest != upload.sha256:
            return Judged("the bytes that came do not have the digest that was announced")
        with self._db.read() as session:
            case = session.get_one(Case, upload.case_id)
            key = enrolled_key(session, case)
        if key is None:
            return Judged("no key is enrolled for this unit")
        try:
            with open_bundle(file, key=PublicKey.from_json(key.public)) as bundle:
                run = bundle.statement.run
                judged = Judged(run=run, verdict=run.verdict.value, reason=_foreign(run, case))
                if not judged.reason:
                    view = read_run(bundle)
                    judged.verdict = view.verdict.value
                    judged.findings = strict_findings(view)
                return judged
        except BundleRejected as error:
            return Judged(f"{error.reason} ({error.detail})")
        except UnreadableJournal as error:
            judged.reason = f"the journal cannot be read: {error}"
            return judged


def _foreign(run: Run, case: Case) -> str:
    if run.rma is not None and run.rma != case.rma:
        return "the bundle was sealed for another RMA number"
    if tidy_serial(run.serial) != case.unit.serial:
        return "the bundle is from another unit"
    return ""


def _record(session: Session, upload_id: str, token: str, digest: str, judged: Judged) -> bool:
    """Write the judgement down; false when somebody else did, or took the lease."""
    upload = session.get_one(Upload, upload_id)
    if upload.lease != token or upload.state is not UploadState.RECEIVING:
        return False
    case = session.get_one(Case, upload.case_id)
    nonce = None
    if judged.run is not None and not judged.reason:
        judged.reason = _replayed(session, judged.run)
        nonce = session.get(Nonce, judged.run.nonce) if judged.run.nonce is not None else None
        if not judged.reason and judged.run.nonce is not None:
            judged.reason = _wrong_nonce(session, nonce, case)
    accepted = not judged.reason
    bundle = Bundle(
        case_id=case.id,
        upload_id=upload_id,
        sha256=digest,
        size=upload.length,
        received=now(),
        state=BundleState.ACCEPTED if accepted else BundleState.QUARANTINED,
        reason=judged.reason,
        bundle_id=judged.run.bundle_id if judged.run else None,
        statement=judged.run.to_json() if judged.run else {},
        verdict=judged.verdict,
        fresh=accepted and nonce is not None,
        findings=judged.findings,
    )
    session.add(bundle)
    session.flush()
    if accepted and nonce is not None:
        nonce.bundle_id = bundle.id
    upload.state = UploadState.SETTLED if digest == upload.sha256 else UploadState.MISMATCHED
    upload.lease = upload.lease_until = None
    note(session, case, f"bundle-{bundle.state.value}", sha256=digest, reason=judged.reason, verdict=judged.verdict)
    return True


def _replayed(session: Session, run: Run) -> str:
    """The same answer wherever it was seen before: another customer's case is nobody's business."""
    seen = select(Bundle.id).where(Bundle.bundle_id == run.bundle_id, Bundle.state == BundleState.ACCEPTED)
    return "this bundle was received before" if session.scalar(seen) is not None else ""


def _wrong_nonce(session: Session, nonce: Nonce | None, case: Case) -> str:
    key = enrolled_key(session, case)
    if nonce is None or nonce.case_id != case.id or key is None or nonce.key_id != key.id:
        return "the bundle carries a nonce that was not issued for this RMA number and key"
    return "the nonce of the bundle was used before" if nonce.bundle_id is not None else ""
