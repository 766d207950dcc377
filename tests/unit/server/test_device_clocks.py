"""The unit's clock is shown and never decides anything: the receiver's time of receipt counts."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from server_stub import intake
from server_stub.cli import main
from server_stub.clock import iso
from server_stub.db import Bundle
from server_stub.settings import API
from tests.device import ENROLMENT_TYPE, Device
from tests.unit.server.conftest import Bench
from tests.unit.uploader.test_verify import pack, parts_of, resign
from uploader import dsse, strict_json
from uploader.receipt import Receipt

SERIAL = "HB24A0017"

CLOCKS: dict[str, dict[str, Any]] = {
    "1970, as after a battery was taken out": {"wall": "1970-01-01T00:00:07.000Z"},
    "2001, the default of a firmware": {"wall": "2001-01-01T00:00:00.000Z"},
    "2038, one second after 31 bits": {"wall": "2038-01-19T03:14:08.000Z"},
    "2106, one second after 32 bits": {"wall": "2106-02-07T06:28:16.000Z"},
    "year 9999": {"wall": "9999-12-31T23:59:59.999Z"},
    "year 1": {"wall": "0001-01-01T00:00:00.000Z"},
    "before 1970": {"wall": "1969-12-31T23:59:59.000Z"},
    "leap second": {"wall": "2016-12-31T23:59:60.000Z"},
    "no day of any calendar": {"wall": "2026-02-30T25:61:61.000Z"},
    "another zone": {"wall": "2026-11-23T22:22:33.123+08:00"},
    "empty": {"wall": ""},
    "words and mark-up": {"wall": "<b>noon</b>\x1b[31m"},
    "just started": {"monotonic_s": 0, "boottime_s": 0},
    "boot clock behind the monotonic one": {"monotonic_s": 500.0, "boottime_s": 3.0},
    "running backwards from the start": {"monotonic_s": -1.0, "boottime_s": -1.5},
    "up for longer than anything runs": {"monotonic_s": 1e300, "boottime_s": 1.5e300},
}


def sealed_at(device: Device, rma: str | None, nonce: str | None, clocks: dict[str, Any]) -> bytes:
    """What the device seals when its clocks say that."""

    def change(statement: dict[str, Any]) -> None:
        statement["predicate"]["clocks"].update(clocks)

    return pack(resign(parts_of(device.bundle(rma, nonce).path), device.key, change))


def newest(bench: Bench) -> Bundle:
    with bench.receiver.db.read() as session:
        return session.scalars(select(Bundle).order_by(Bundle.id.desc())).first()


@pytest.mark.parametrize("clocks", CLOCKS.values(), ids=CLOCKS)
def test_whatever_the_clock_says_the_bundle_is_accepted_and_the_receipt_tells_the_receivers_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, clocks: dict[str, Any]
) -> None:
    opened, device = bench.open_case(SERIAL, date(2026, 1, 1)), bench.device(SERIAL)
    content = sealed_at(device, opened.case.rma, bench.nonce(device, opened.case.rma), clocks)
    received = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
    monkeypatch.setattr(intake, "now", lambda: received)
    location = bench.upload(opened.case.rma, SERIAL, content)
    receipt = Receipt.verify(bench.receipt(location).content, bench.receiver.key.public)
    assert (receipt.received_at, receipt.sha256) == ("2026-05-06T07:08:09Z", hashlib.sha256(content).hexdigest())
    row = newest(bench)
    assert (row.state, row.fresh, row.received) == ("accepted", True, received)
    page = bench.http.get(opened.path)
    assert page.status_code == 200
    assert "<b>noon" not in page.text
    assert "\x1b" not in page.text


@pytest.mark.parametrize(
    "walls",
    [
        ("2026-11-23T10:00:00.000Z", "2026-11-23T09:00:00.000Z"),
        ("2026-11-23T10:00:00.000Z", "1970-01-01T00:00:00.000Z"),
        ("2106-02-07T06:28:16.000Z", "2026-11-23T10:00:00.000Z"),
        ("2026-11-23T10:00:00.000Z", "2026-11-23T10:00:00.000Z"),
    ],
    ids=["an hour back", "back to 1970", "back from 2106", "stands still"],
)
def test_a_clock_that_goes_backwards_changes_no_order(bench: Bench, walls: tuple[str, str]) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    for wall in walls:
        content = sealed_at(device, case.rma, bench.nonce(device, case.rma), {"wall": wall})
        assert bench.receipt(bench.upload(case.rma, SERIAL, content)).status_code == 200
        row = newest(bench)
        assert (row.state, row.fresh, row.statement["clocks"]["wall"]) == ("accepted", True, wall)
    with bench.receiver.db.read() as session:
        received = session.scalars(select(Bundle.received).order_by(Bundle.id)).all()
    assert received == sorted(received)


@pytest.mark.parametrize("wall", ["1970-01-01T00:00:00.000Z", "2106-02-07T06:28:16.000Z"])
def test_a_bundle_that_was_under_way_for_months_is_accepted_whatever_it_says(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, wall: str
) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    nonce = bench.nonce(device, case.rma)
    content = sealed_at(device, case.rma, nonce, {"wall": wall})
    monkeypatch.setattr(intake, "now", lambda: datetime.now(UTC) + timedelta(days=200))
    assert bench.receipt(bench.upload(case.rma, SERIAL, content)).status_code == 200
    assert newest(bench).fresh  # the nonce says that it was sealed after it was issued, and no more


@pytest.mark.parametrize(
    "time", ["1970-01-01T00:00:00Z", "2106-02-07T06:28:16Z", "0001-01-01T00:00:00Z", "yesterday", ""]
)
def test_an_enrolment_is_taken_whatever_its_time(bench: Bench, time: str) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    good = json.loads(dsse.peek(device.enrolment(case.rma), ENROLMENT_TYPE, max_size=10_000))
    signed = dsse.sign(strict_json.canonical({**good, "time": time}), ENROLMENT_TYPE, device.key)
    before = datetime.now(UTC).replace(microsecond=0)
    answer = bench.http.post(f"{API}/cases/{case.rma}/enrolment", data=signed)
    assert answer.json()["status"] == "enrolled"
    content = device.bundle(case.rma, answer.json()["nonce"]).path.read_bytes()
    receipt = Receipt.verify(bench.receipt(bench.upload(case.rma, SERIAL, content)).content, bench.receiver.key.public)
    assert iso(before) <= receipt.received_at <= iso(datetime.now(UTC))


@pytest.mark.parametrize("wall", ["1970-01-01T00:00:00.000Z", "2106-02-07T06:28:16.000Z"])
@pytest.mark.parametrize("command", ["import", "factory-key"])
def test_a_bundle_from_a_stick_is_taken_whatever_its_clock_said(
    bench: Bench, tmp_path: Path, command: str, wall: str
) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    (tmp_path / "bundle.zip").write_bytes(sealed_at(device, None, None, {"wall": wall}))
    data = ["--data", str(bench.receiver.settings.data)]
    more = ["--rma", case.rma] if command == "import" else []
    assert main([command, *data, str(tmp_path / "bundle.zip"), *more]) == 0


@pytest.mark.parametrize(
    "clocks",
    [{"wall": None}, {"wall": 7}, {"monotonic_s": "1"}, {"monotonic_s": True}, {"boottime_s": None}],
    ids=["no wall", "wall a number", "monotonic a text", "monotonic a truth", "no boot time"],
)
def test_what_is_no_clock_at_all_is_kept_in_quarantine(bench: Bench, clocks: dict[str, Any]) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    bench.enrol(device, case.rma)
    location = bench.upload(case.rma, SERIAL, sealed_at(device, case.rma, None, clocks))
    assert bench.receipt(location).status_code == 422
    assert newest(bench).state == "quarantined"
