"""What is accepted, what is kept in quarantine and why, and receipts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from agent.model import ComponentKind, Finding, Severity, Verdict
from server_stub.db import Bundle, Nonce, Upload
from server_stub.receiver import DataInUse, Receiver
from server_stub.settings import API, Settings
from tests.device import Contents
from tests.unit.server.conftest import TUS, Bench, problem
from uploader.receipt import Receipt

SERIAL = "HB24A0017"

FAULT = Finding(
    code="LOG-8400",
    component=ComponentKind.STORAGE_DEVICE,
    subject="sda",
    severity=Severity.CRITICAL,
    verdict=Verdict.FAIL,
    confidence=0.77,
    values={"count": 3},
)


def stored(bench: Bench) -> list[Bundle]:
    with bench.receiver.db.read() as session:
        return list(session.scalars(select(Bundle).order_by(Bundle.id)))


def rejected(bench: Bench, location: str, reason: str) -> None:
    """The bundle at ``location`` is quarantined for ``reason``, and kept."""
    body = problem(bench.receipt(location), 422, "bundle-rejected")
    assert reason in body["detail"]
    row = stored(bench)[-1]
    assert (row.state, row.fresh) == ("quarantined", False)
    with bench.receiver.blobs.local(row.sha256) as path:
        assert path.stat().st_size == row.size


def test_a_good_bundle_is_accepted_with_a_signed_receipt(bench: Bench) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    sealed = device.bundle(case.rma, bench.nonce(device, case.rma), Contents(findings=[FAULT]))
    location = bench.upload(case.rma, SERIAL, sealed.path.read_bytes())
    receipt = Receipt.verify(bench.receipt(location).content, bench.receiver.key.public)
    receipt.check(rma=case.rma, serial=SERIAL, bundle_id=sealed.bundle_id, sha256=sealed.sha256, size=sealed.size)
    assert receipt.case_url == f"{bench.http.base_url}/cases/{case.rma}"
    [row] = stored(bench)
    assert (row.state, row.fresh, row.reason) == ("accepted", True, "")
    assert row.verdict == "fail"  # the journal's, whatever the statement says
    assert [found["code"] for found in row.findings] == ["LOG-8400"]
    with bench.receiver.blobs.local(row.sha256) as path:
        assert path.read_bytes() == sealed.path.read_bytes()
    assert list(bench.receiver.settings.spool.iterdir()) == []


def test_sending_it_again_changes_nothing(bench: Bench) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    content = device.bundle(case.rma, bench.nonce(device, case.rma)).path.read_bytes()
    location = bench.upload(case.rma, SERIAL, content)
    again = bench.create(case.rma, SERIAL, content)
    assert (again.headers["location"], again.headers["upload-offset"]) == (location, str(len(content)))
    assert bench.receipt(location).content == bench.receipt(location).content
    assert len(stored(bench)) == 1


@pytest.mark.parametrize("rma", ["bound", None])
def test_without_a_nonce_a_bundle_is_accepted_but_not_called_fresh(bench: Bench, rma: str | None) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    bench.enrol(device, case.rma)
    sealed = device.bundle(case.rma if rma else None)
    assert bench.receipt(bench.upload(case.rma, SERIAL, sealed.path.read_bytes())).status_code == 200
    assert [(row.state, row.fresh) for row in stored(bench)] == [("accepted", False)]


def test_another_key_than_the_enrolled_one_is_not_believed(bench: Bench) -> None:
    case = bench.open_case(SERIAL).case
    bench.enrol(bench.device(SERIAL, "honest"), case.rma)
    forged = bench.device(SERIAL, "other").bundle(case.rma)
    location = bench.upload(case.rma, SERIAL, forged.path.read_bytes())
    rejected(bench, location, "sealed by a key that is not enrolled for this unit")


def test_one_changed_byte_anywhere_is_noticed(bench: Bench) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    bench.enrol(device, case.rma)
    content = device.bundle(case.rma).path.read_bytes()
    for position in range(0, len(content), len(content) // 12):
        tampered = bytearray(content)
        tampered[position] ^= 1
        rejected(bench, bench.upload(case.rma, SERIAL, bytes(tampered)), "")
    assert bench.receipt(bench.upload(case.rma, SERIAL, content)).status_code == 200


def test_bytes_that_are_not_the_announced_ones_leave_the_way_open_for_those(bench: Bench) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    bench.enrol(device, case.rma)
    sealed = device.bundle(case.rma)
    content = sealed.path.read_bytes()
    damaged = content[:-1] + b"?"
    location = bench.create(case.rma, SERIAL, damaged, sealed.sha256).headers["location"]
    bench.append(location, 0, damaged)
    rejected(bench, location, "the digest that was announced")
    good = bench.upload(case.rma, SERIAL, content)
    assert good != location
    assert bench.receipt(good).status_code == 200


def test_a_bundle_for_one_case_is_refused_for_another(bench: Bench) -> None:
    first, second = bench.open_case(SERIAL).case, bench.open_case(SERIAL).case
    device = bench.device(SERIAL)
    content = device.bundle(first.rma, bench.nonce(device, first.rma)).path.read_bytes()
    assert bench.receipt(bench.upload(first.rma, SERIAL, content)).status_code == 200
    location = bench.upload(second.rma, SERIAL, content)
    rejected(bench, location, "sealed for another RMA number")
    assert first.rma not in bench.receipt(location).text


def test_a_bundle_without_a_case_counts_for_one_case_only(bench: Bench) -> None:
    first, second = bench.open_case(SERIAL).case, bench.open_case(SERIAL).case
    device = bench.device(SERIAL)
    bench.enrol(device, first.rma)
    content = device.bundle(None).path.read_bytes()
    bench.upload(first.rma, SERIAL, content)
    rejected(bench, bench.upload(second.rma, SERIAL, content), "received before")


def test_another_units_bundle_is_refused(bench: Bench) -> None:
    mine, theirs = bench.open_case(SERIAL).case, bench.open_case("HB24A0018").case
    device = bench.device(SERIAL)
    bench.enrol(device, mine.rma)
    stick = bench.device("HB24A0018")  # the same key in another unit
    bench.enrol(stick, theirs.rma)
    sealed = stick.bundle(None)
    rejected(bench, bench.upload(mine.rma, SERIAL, sealed.path.read_bytes()), "from another unit")


def test_a_nonce_counts_once_and_only_for_whom_it_was_issued(bench: Bench) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    nonce = bench.nonce(device, case.rma)
    other_case = bench.open_case(SERIAL).case
    other_nonce = bench.nonce(device, other_case.rma)
    bench.upload(case.rma, SERIAL, device.bundle(case.rma, nonce).path.read_bytes())
    for wrong, reason in ((nonce, "used before"), (other_nonce, "not issued"), ("f" * 32, "not issued")):
        rejected(bench, bench.upload(case.rma, SERIAL, device.bundle(case.rma, wrong).path.read_bytes()), reason)
    with bench.receiver.db.read() as session:
        assert session.get_one(Nonce, nonce).bundle_id == stored(bench)[0].id
        assert session.get_one(Nonce, other_nonce).bundle_id is None


def test_something_that_is_no_bundle_is_kept_and_refused(bench: Bench) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    bench.enrol(device, case.rma)
    rejected(bench, bench.upload(case.rma, SERIAL, b"PK\x03\x04 not really"), "not a bundle")


def test_serials_are_compared_without_regard_to_case(bench: Bench) -> None:
    case, device = bench.open_case("hb24a0017").case, bench.device("hb24A0017 ")
    bench.enrol(device, case.rma)
    sealed = device.bundle(case.rma)
    location = bench.upload(case.rma, "HB24a0017", sealed.path.read_bytes())
    receipt = Receipt.verify(bench.receipt(location).content, bench.receiver.key.public)
    assert receipt.serial == "hb24A0017 "


def test_a_crash_before_the_judgement_is_made_good_at_the_next_start(tmp_path: Path, bench: Bench) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    bench.enrol(device, case.rma)
    content = device.bundle(case.rma).path.read_bytes()
    location = bench.create(case.rma, SERIAL, content).headers["location"]
    upload_id = location.rpartition("/")[2]
    # the state between the commit of the last byte and the judgement, with the lease of a dead writer
    bench.receiver.uploads.path(upload_id).write_bytes(content)
    with bench.receiver.db.write() as session:
        upload = session.get_one(Upload, upload_id)
        upload.offset, upload.lease, upload.lease_until = len(content), "dead", datetime(2100, 1, 1, tzinfo=UTC)
    stray = bench.receiver.settings.spool / "stray"
    stray.write_bytes(b"")
    problem(bench.receipt(location), 409, "conflict")
    bench.receiver.intake.settle_pending(list(bench.receiver.uploads.recover()))
    assert bench.receipt(location).status_code == 200
    assert not stray.exists()


def test_whoever_asks_for_the_receipt_has_a_whole_upload_judged(bench: Bench) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    bench.enrol(device, case.rma)
    content = device.bundle(case.rma).path.read_bytes()
    location = bench.create(case.rma, SERIAL, content).headers["location"]
    upload_id = location.rpartition("/")[2]
    bench.receiver.uploads.path(upload_id).write_bytes(content)
    with bench.receiver.db.write() as session:
        session.get_one(Upload, upload_id).offset = len(content)
    assert bench.http.head(location, headers=TUS).headers["upload-offset"] == str(len(content))
    assert bench.receipt(location).status_code == 200


def test_two_receivers_cannot_share_a_data_directory(bench: Bench) -> None:
    with pytest.raises(DataInUse):
        Receiver(Settings(bench.receiver.settings.data))
    assert bench.http.get(f"{API}/receiver").status_code == 200


def finding_record(values: str, code: str = '"LOG-8400"') -> bytes:
    """A line of a journal, as a stranger could write it."""
    content = (
        f'{{"code": {code}, "component": "storage-device", "subject": "sda", "severity": "critical", '
        f'"verdict": "fail", "confidence": 0.5, "values": {values}, "evidence": [], "records": []}}'
    )
    artifact = f'{{"testStepId": "storage", "extension": {{"name": "finding", "content": {content}}}}}'
    return f'{{"testStepArtifact": {artifact}, "sequenceNumber": 9, "timestamp": "x"}}\n'.encode()


@pytest.mark.parametrize("needed", [7, {"a": None}, [["deep"]], "storage"])
def test_a_run_that_makes_no_sense_is_not_called_passed(bench: Bench, needed: object) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    bench.enrol(device, case.rma)
    location = bench.upload(case.rma, SERIAL, device.bundle(case.rma, None, Contents(needed=needed)).path.read_bytes())
    assert bench.receipt(location).status_code == 200
    assert [row.verdict for row in stored(bench)] == ["incomplete"]


def test_a_journal_that_is_no_strict_json_is_not_accepted(bench: Bench) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    bench.enrol(device, case.rma)
    contents = Contents(raw=finding_record('{"count": NaN}'))
    location = bench.upload(case.rma, SERIAL, device.bundle(case.rma, None, contents).path.read_bytes())
    rejected(bench, location, "the journal cannot be read")


HUGE = (
    b'{"testStepArtifact": {"testStepId": "storage", "extension": {"name": "outcome", "content": '
    b'{"outcome": "pass", "reason": null, "duration_s": 1'
    + b"0" * 400
    + b'}}}, "sequenceNumber": 1, "timestamp": ""}\n'
)
ODD = (
    b'{"testStepArtifact": {"testStepId": "storage", "measurement": {"name": "a.b", "value": [1], "subcomponent": '
    b'{"name": {}}, "metadata": {"component": "cpu", "source": 1, "time": null}}}, "sequenceNumber": "x", '
    b'"timestamp": []}\n'
)
VAST = (
    b'{"testStepArtifact": {"testStepId": "storage", "measurement": {"name": "a.b", "value": 1'
    + b"0" * 400
    + b', "unit": "B", "subcomponent": {"name": "x"}, "metadata": {"component": "cpu", "source": "s", "time": ""}}}, '
    b'"sequenceNumber": 7, "timestamp": ""}\n'
)


@pytest.mark.parametrize(
    "raw",
    [
        finding_record('{"count": [[1]], "x": {"y": null}}'),
        finding_record('{"count": 1}', code='"\\ud800\\u0000"'),
        finding_record('{"x": ' + "[" * 500 + "]" * 500 + "}"),
        HUGE,
        ODD,
        VAST,
        b"[" * 100_000 + b"\n" + b"\xff\x00\n" + b"1" * 5000 + b"\n",
    ],
    ids=["odd values", "surrogate", "deep", "huge number", "odd reading", "vast", "noise"],
)
def test_odd_records_hurt_nobody(bench: Bench, raw: bytes) -> None:
    opened, device = bench.open_case(SERIAL), bench.device(SERIAL)
    bench.enrol(device, opened.case.rma)
    sealed = device.bundle(opened.case.rma, None, Contents(raw=raw))
    location = bench.upload(opened.case.rma, SERIAL, sealed.path.read_bytes())
    assert bench.receipt(location).status_code in {200, 422}
    assert len(stored(bench)) == 1
    assert bench.http.get(opened.path).status_code == 200
    journal = f"/cases/{opened.case.rma}/bundles/{sealed.bundle_id}/journal"
    assert bench.http.get(journal, params={"claim": opened.claim}).status_code in {200, 404}
