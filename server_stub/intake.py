"""From a whole upload to a judged bundle: accepted, or kept in quarantine with the reason."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server_stub import audit
from server_stub.blobs import Blobs
from server_stub.cases import note
from server_stub.clock import now
from server_stub.db import Bundle, Case, Database, Nonce, Upload
from server_stub.db.models import BundleState, KeyState, UploadState
from server_stub.enrolment import key_of_unit
from server_stub.summary import UnreadableJournal, read_run, strict_findings
from server_stub.units import tidy_serial
from server_stub.uploads import Uploads
from uploader.bundle.format import Run
from uploader.bundle.verify import BundleRejected, VerifiedBundle, open_bundle
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
        digest, judged = self._verify(upload, spooled)
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

    def judge_again(self, unit_id: int) -> int:
        """Look again at what is in quarantine of a unit, after staff have accepted a key; gives how many bundles are
        accepted now.
        """
        with self._db.read() as session:
            held = session.scalars(
                select(Bundle.upload_id)
                .join(Case, Case.id == Bundle.case_id)
                .where(Case.unit_id == unit_id, Bundle.state == BundleState.QUARANTINED)
                .order_by(Bundle.id)
            ).all()
        return sum(self._judge_again(upload_id) for upload_id in held)

    def _judge_again(self, upload_id: str) -> bool:
        upload = self._uploads.get(upload_id)
        with self._db.read() as session:
            digest = session.scalars(select(Bundle.sha256).where(Bundle.upload_id == upload_id)).one()
        with self._blobs.local(digest) as file:
            _, judged = self._verify(upload, file)
        if judged.reason:
            return False
        with self._db.write() as session:
            bundle = session.scalars(select(Bundle).where(Bundle.upload_id == upload_id)).one()
            case = session.get_one(Case, bundle.case_id)
            nonce = _against_others(session, case, judged)
            if judged.reason or bundle.state is not BundleState.QUARANTINED:
                return False
            _write(bundle, judged, nonce)
            session.flush()
            _use(nonce, bundle)
            note(session, case, "bundle-accepted", sha256=digest, reason="", verdict=judged.verdict)
            _audit(session, case, bundle)
        return True

    def _verify(self, upload: Upload, file: Path) -> tuple[str, Judged]:
        """The digest of a file, and what can be said of it without looking at other bundles. Verifying a bundle digests
        it: a large one is not read another time for that.
        """
        try:
            with open_bundle(file) as bundle:
                return bundle.sha256, self._judge(upload, bundle)
        except BundleRejected as error:
            with file.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            return digest, Judged(_mismatch(upload, digest) or f"{error.reason} ({error.detail})")

    def _judge(self, upload: Upload, bundle: VerifiedBundle) -> Judged:
        mismatch = _mismatch(upload, bundle.sha256)
        if mismatch:
            return Judged(mismatch)
        run = bundle.statement.run
        with self._db.read() as session:
            case = session.get_one(Case, upload.case_id)
            wrong_key = _wrong_key(session, case, run.key)
        if wrong_key:
            return Judged(wrong_key)
        judged = Judged(run=run, verdict=run.verdict.value, reason=_foreign(run, case))
        if not judged.reason:
            try:
                view = read_run(bundle)
                judged.verdict = view.verdict.value
                judged.findings = strict_findings(view)
            except UnreadableJournal as error:
                judged.reason = f"the journal cannot be read: {error}"
        return judged


def _mismatch(upload: Upload, digest: str) -> str:
    return "" if digest == upload.sha256 else "the bytes that came do not have the digest that was announced"


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
        nonce = _against_others(session, case, judged)
    bundle = Bundle(case_id=case.id, upload_id=upload_id, sha256=digest, size=upload.length, received=now())
    _write(bundle, judged, nonce)
    session.add(bundle)
    session.flush()
    _use(nonce, bundle)
    upload.state = UploadState.SETTLED if digest == upload.sha256 else UploadState.MISMATCHED
    upload.lease = upload.lease_until = None
    note(session, case, f"bundle-{bundle.state.value}", sha256=digest, reason=judged.reason, verdict=judged.verdict)
    subject = audit.of_case(case.rma)
    audit.record(session, f"upload-{upload.state.value}", subject, sha256=upload.sha256, size=upload.length)
    _audit(session, case, bundle)
    return True


def _audit(session: Session, case: Case, bundle: Bundle) -> None:
    """What the receiver thinks of a bundle, and why."""
    detail: dict[str, Any] = {"sha256": bundle.sha256, "bundle_id": bundle.bundle_id}
    if bundle.state is BundleState.ACCEPTED:
        detail |= {"keyid": bundle.statement["key"]["keyid"], "verdict": bundle.verdict, "fresh": bundle.fresh}
    else:
        detail |= {"reason": bundle.reason}
    audit.record(session, f"bundle-{bundle.state.value}", audit.of_case(case.rma), **detail)


def _write(bundle: Bundle, judged: Judged, nonce: Nonce | None) -> None:
    """What was found out, into the row."""
    accepted = not judged.reason
    bundle.state = BundleState.ACCEPTED if accepted else BundleState.QUARANTINED
    bundle.reason = judged.reason
    bundle.bundle_id = judged.run.bundle_id if judged.run else None
    bundle.statement = judged.run.to_json() if judged.run else {}
    bundle.verdict = judged.verdict
    bundle.fresh = accepted and nonce is not None
    bundle.findings = judged.findings


def _use(nonce: Nonce | None, bundle: Bundle) -> None:
    """A nonce counts once."""
    if nonce is not None and bundle.state is BundleState.ACCEPTED:
        nonce.bundle_id = bundle.id


def _against_others(session: Session, case: Case, judged: Judged) -> Nonce | None:
    """What is known besides, in the transaction in which the judgement is written; adds the reason to ``judged`` and
    gives the nonce of the bundle.
    """
    assert judged.run is not None
    nonce = session.get(Nonce, judged.run.nonce) if judged.run.nonce is not None else None
    judged.reason = _wrong_key(session, case, judged.run.key) or _replayed(session, judged.run)
    if not judged.reason and judged.run.nonce is not None:
        judged.reason = _wrong_nonce(session, nonce, case, judged.run.key)
    return nonce


def _wrong_key(session: Session, case: Case, key: PublicKey) -> str:
    """Why what this key sealed does not count for the unit of a case; ``""`` when it does. A key that was replaced
    sealed honestly while it spoke for the unit, and a bundle may be late.
    """
    row = key_of_unit(session, case.unit_id, key.keyid)
    if row is None:
        return f"it was sealed by a key that is not enrolled for this unit ({key.keyid})"
    if row.state is KeyState.QUARANTINED:
        return f"it was sealed by a key that staff have not confirmed yet ({key.keyid})"
    if row.state is KeyState.REVOKED:
        return f"it was sealed by a key that staff have revoked ({key.keyid})"
    return ""


def _replayed(session: Session, run: Run) -> str:
    """The same answer wherever it was seen before: another customer's case is nobody's business."""
    seen = select(Bundle.id).where(Bundle.bundle_id == run.bundle_id, Bundle.state == BundleState.ACCEPTED)
    return "this bundle was received before" if session.scalar(seen) is not None else ""


def _wrong_nonce(session: Session, nonce: Nonce | None, case: Case, sealer: PublicKey) -> str:
    key = key_of_unit(session, case.unit_id, sealer.keyid)
    if nonce is None or nonce.case_id != case.id or key is None or nonce.key_id != key.id:
        return "the bundle carries a nonce that was not issued for this RMA number and key"
    return "the nonce of the bundle was used before" if nonce.bundle_id is not None else ""
