"""From a self-check to its RMA case: the real agent, the real receiver, and what each of them shows of it."""

from __future__ import annotations

import hashlib
import html
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from agent.model.run_view import RunView
from tests.device import checksum, encode_metadata, metadata
from tests.integration.conftest import Checked
from tests.integration.unit_under_test import Unit
from tests.ocp import validate_lines
from tests.receiver_process import ReceiverProcess
from uploader.bundle.verify import open_bundle

TUS = {"Tus-Resumable": "1.0.0"}


def test_the_self_check_says_that_it_was_sent(checked: Checked) -> None:
    document = checked.ran.json()
    assert checked.ran.status == {"pass": 0, "fail": 1, "incomplete": 3}[document["verdict"]]
    assert document["unit"]["serial"] == checked.case.serial
    assert f"Adjuntado a {checked.case.rma}" in checked.ran.err
    assert "aiodiag:" not in checked.ran.err


def test_the_case_page_shows_what_was_found(receiver: ReceiverProcess, checked: Checked) -> None:
    page = html.unescape(receiver.page(checked.case))
    document = checked.ran.json()
    assert checked.case.serial in page
    assert checked.case.rma in page
    assert "verified with the enrolled key" in page
    for finding in document["findings"]:
        assert finding["code"] in page
    with open_bundle(Path(document["bundle"])) as bundle:
        parts = RunView.from_records(bundle.journal()).components
    assert parts
    for part in parts:
        for word in (part.name, part.model, part.serial):
            assert word in page


@pytest.mark.parametrize(("language", "word"), [("es", "Caso RMA"), ("zh-TW", "RMA 案件")])
def test_the_case_page_speaks_the_readers_language(
    language: str, word: str, receiver: ReceiverProcess, checked: Checked
) -> None:
    assert word in receiver.page(checked.case, language)


def test_the_receivers_receipt_is_kept_by_the_unit(receiver: ReceiverProcess, checked: Checked) -> None:
    (entry,) = checked.unit.outbox()
    assert entry["state"] == "delivered"
    receipt = receiver.receipt(entry)
    assert receipt.rma == checked.case.rma
    assert receipt.received_at in checked.ran.err


def test_what_the_receiver_has_is_what_the_unit_sealed(receiver: ReceiverProcess, checked: Checked) -> None:
    sealed = Path(checked.ran.json()["bundle"]).read_bytes()
    assert receiver.stored(hashlib.sha256(sealed).hexdigest()) == sealed
    with open_bundle(Path(checked.ran.json()["bundle"])) as bundle:
        assert bundle.statement.run.nonce
        assert bundle.statement.run.rma == checked.case.rma


def test_the_journal_in_the_stored_bundle_is_ocp(
    receiver: ReceiverProcess, checked: Checked, shared: Path, tmp_path: Path
) -> None:
    (entry,) = checked.unit.outbox()
    (tmp_path / "stored.zip").write_bytes(receiver.stored(entry["sha256"]))
    with zipfile.ZipFile(tmp_path / "stored.zip") as archive:
        (tmp_path / "journal.jsonl").write_bytes(archive.read("journal.jsonl"))
    assert validate_lines(tmp_path / "journal.jsonl", shared) > 50


def test_sending_it_again_changes_nothing(receiver: ReceiverProcess, checked: Checked, tmp_path: Path) -> None:
    bundle, before = checked.ran.json()["bundle"], receiver.page(checked.case)
    nothing_waits = checked.unit.aiodiag("upload")
    assert (nothing_waits.status, nothing_waits.err) == (0, "")
    assert checked.unit.aiodiag("upload", bundle, "--server", receiver.url).status == 0
    # even a unit that has forgotten that it was sent is only given the same receipt again
    shutil.copytree(checked.unit.state / "key", tmp_path / "key")
    forgetful = Unit(tmp_path, "zh_Hant")
    assert forgetful.aiodiag("upload", bundle, "--server", receiver.url).status == 0
    receipts = [receiver.receipt(entry) for unit in (checked.unit, forgetful) for entry in unit.outbox()]
    assert receipts[0] == receipts[1]
    assert receiver.page(checked.case) == before


def test_another_case_of_the_same_unit(receiver: ReceiverProcess, checked: Checked, unit: Unit) -> None:
    case = receiver.quick_case(checked.case.serial)
    bundle = unit.sealed(case.rma, receiver.url)
    sent = unit.aiodiag("upload", "--json")
    assert sent.status == 0
    (entry,) = sent.json()["entries"]
    assert receiver.receipt(entry).rma == case.rma
    assert receiver.stored(entry["sha256"]) == bundle.read_bytes()
    assert "verified with the enrolled key" in receiver.page(case)


def test_two_uploads_at_once_are_one(receiver: ReceiverProcess, checked: Checked, unit: Unit) -> None:
    unit.sealed(checked.case.rma, receiver.url)
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda _: unit.aiodiag("upload"), range(2)))
    assert [ran.status for ran in both] == [0, 0]
    (entry,) = unit.outbox()
    receiver.receipt(entry)


@pytest.mark.parametrize(("whose", "language"), [("another unit's", "es"), ("nobody's", "zh_Hant")])
def test_a_case_that_is_not_this_units_is_told_before_anything_is_checked(
    whose: str, language: str, receiver: ReceiverProcess, checked: Checked, tmp_path: Path
) -> None:
    rma = receiver.quick_case("AIO27-SOMEBODY-ELSE").rma if whose == "another unit's" else "HB26-483920-5"
    person = Unit(tmp_path / "state", language)
    where = ["--serial", checked.case.serial, "--server", receiver.url]
    ran = person.aiodiag("selfcheck", "--rma", rma, *where)
    reason = person.say("there is no case {rma} for the serial number {serial}", rma=rma, serial=checked.case.serial)
    assert (ran.status, ran.out, ran.err) == (2, "", f"aiodiag: {reason}\n")
    assert not (person.state / "runs").exists()


def test_a_bundle_for_a_case_that_is_not_this_units_is_kept(
    receiver: ReceiverProcess, checked: Checked, unit: Unit
) -> None:
    rma = receiver.quick_case("AIO27-SOMEBODY-ELSE").rma
    bundle = unit.sealed(rma, receiver.url)
    reason = unit.say("there is no case {rma} for the serial number {serial}", rma=rma, serial=checked.case.serial)
    unit.check_not_sent(unit.aiodiag("upload"), bundle, reason)


@pytest.mark.parametrize("language", ["es"])
def test_a_second_key_for_the_same_serial_is_held_back(
    language: str, receiver: ReceiverProcess, checked: Checked, unit: Unit
) -> None:
    shutil.rmtree(unit.state / "key")
    unit.language = language
    bundle = unit.sealed(checked.case.rma, receiver.url)
    reason = unit.say("the receiver holds this device back until its staff has looked at it")
    unit.check_not_sent(unit.aiodiag("upload"), bundle, reason)
    assert hashlib.sha256(bundle.read_bytes()).hexdigest() not in {p.stem for p in receiver.data.rglob("*.zip")}


def flipped(data: bytes, place: float) -> bytes:
    at = min(int(len(data) * place), len(data) - 1)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(("place", "language"), [(0.3, "zh_Hant"), (1, "es")])
def test_a_flipped_byte_in_the_outbox_is_not_sent_and_can_be_made_good(
    place: float, language: str, receiver: ReceiverProcess, checked: Checked, unit: Unit
) -> None:
    unit.language = language
    bundle = unit.sealed(checked.case.rma, receiver.url)
    (kept,) = unit.in_outbox()
    kept.write_bytes(flipped(kept.read_bytes(), place))
    ran = unit.aiodiag("upload")
    assert ran.status == 3
    assert unit.say("the bundle is damaged, or was changed after it was sealed") in ran.err
    assert len(ran.err.splitlines()) == 1
    assert unit.aiodiag("upload", str(bundle), "--server", receiver.url).status == 0
    (entry,) = unit.outbox()
    receiver.receipt(entry)


@pytest.mark.parametrize(("place", "language"), [(0, "zh_Hant"), (0.4, "en")])
def test_a_flipped_byte_in_a_given_file_is_refused(
    place: float, language: str, receiver: ReceiverProcess, checked: Checked, tmp_path: Path
) -> None:
    (tmp_path / "stick.zip").write_bytes(flipped(Path(checked.ran.json()["bundle"]).read_bytes(), place))
    person = Unit(tmp_path / "state", language)
    ran = person.aiodiag("upload", str(tmp_path / "stick.zip"), "--server", receiver.url)
    assert ran.status == 2
    assert len(ran.err.splitlines()) == 1
    assert person.outbox() == []


def test_a_flipped_byte_pushed_past_the_agent_is_refused_by_the_receiver(
    receiver: ReceiverProcess, checked: Checked, unit: Unit
) -> None:
    case = receiver.quick_case(checked.case.serial)
    bundle = unit.sealed(case.rma, receiver.url)
    evil = flipped(bundle.read_bytes(), 0.5)
    uploads = f"{receiver.url}/api/v1/uploads"
    encoded = encode_metadata(metadata(case.rma, case.serial, evil))
    told = {**TUS, "Upload-Length": str(len(evil)), "Upload-Metadata": encoded}
    created = requests.post(uploads, headers=told, timeout=20)
    location = urljoin(uploads, created.headers["location"])
    part = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream", "Upload-Checksum": checksum(evil)}
    assert requests.patch(location, headers={**TUS, **part}, data=evil, timeout=20).status_code == 204
    refused = requests.get(f"{location}/receipt", timeout=20)
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (422, "bundle-rejected")
    page = receiver.page(case)
    assert "not accepted" in page
    assert "verified with the enrolled key" not in page
    # the true one is not kept out by it
    assert unit.aiodiag("upload").status == 0
    assert "verified with the enrolled key" in receiver.page(case)
