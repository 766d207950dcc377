"""Who is there, coarse status, enrolment, and errors that are always problems."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from agent.model.check_digit import check_digit
from server_stub.db import DeviceKey, Event
from server_stub.rma import claim_hash, new_claim, new_rma, tidy_rma
from server_stub.settings import API, BODY_CAP
from server_stub.warranty import cover
from tests.unit.server.conftest import Bench, problem
from uploader import dsse, strict_json
from uploader.keys import PublicKey


def test_a_receiver_says_who_it_is(bench: Bench) -> None:
    about = bench.http.get(f"{API}/receiver").json()
    assert PublicKey.from_json(about["key"]) == bench.receiver.key.public
    assert about["uploads"] == f"{API}/uploads"


def test_a_case_is_found_by_number_and_serial_together(bench: Bench) -> None:
    case = bench.open_case("HB24A0017").case
    found = bench.http.get(f"{API}/cases/{case.rma}", params={"serial": " hb24a0017 "})
    assert found.json() == {"rma": case.rma, "status": "request"}


def test_a_wrong_serial_is_told_nothing_that_an_unknown_number_is_not(bench: Bench) -> None:
    case = bench.open_case().case
    wrong_serial = bench.http.get(f"{API}/cases/{case.rma}", params={"serial": "OTHER"})
    unknown = bench.http.get(f"{API}/cases/{new_rma(date(2026, 1, 1))}", params={"serial": case.unit.serial})
    malformed = bench.http.get(f"{API}/cases/nonsense", params={"serial": "OTHER"})
    problem(wrong_serial, 404, "unknown-case")
    assert wrong_serial.content == unknown.content == malformed.content
    assert set(wrong_serial.headers) == set(unknown.headers)


def test_errors_of_the_framework_are_problems_too(bench: Bench) -> None:
    problem(bench.http.get(f"{API}/nothing"), 404, "not-found")
    problem(bench.http.delete(f"{API}/receiver"), 405, "method-not-allowed")
    problem(bench.http.get(f"{API}/cases/HB26-000000-0"), 400, "bad-request")
    problem(bench.http.post(f"{API}/uploads"), 412, "unsupported-version")
    problem(bench.http.get(f"{API}/uploads/nothing/receipt"), 404, "not-found")


def test_a_failure_inside_is_a_problem_that_tells_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.receiver.uploads, "get", lambda _: 1 / 0)
    body = problem(bench.receipt(f"{API}/uploads/x"), 500, "internal")
    assert "division" not in str(body)


def test_the_first_key_of_a_unit_is_enrolled_and_gets_a_new_nonce_each_time(bench: Bench) -> None:
    case, device = bench.open_case().case, bench.device()
    first, second = bench.enrol(device, case.rma), bench.enrol(device, case.rma)
    assert first.json()["status"] == second.json()["status"] == "enrolled"
    assert re.fullmatch("[0-9a-f]{32}", first.json()["nonce"])
    assert first.json()["nonce"] != second.json()["nonce"]


def test_another_key_for_a_unit_is_set_aside_and_the_first_keeps_working(bench: Bench) -> None:
    case = bench.open_case().case
    honest, other = bench.device(name="honest"), bench.device(name="other")
    assert bench.enrol(honest, case.rma).status_code == 200
    for _ in range(2):
        body = problem(bench.enrol(other, case.rma), 403, "quarantined")
        assert "nonce" not in body
    assert bench.enrol(honest, case.rma).json()["status"] == "enrolled"
    with bench.receiver.db.read() as session:
        states = {row.keyid: row.state.value for row in session.scalars(select(DeviceKey))}
    assert states == {honest.key.public.keyid: "enrolled", other.key.public.keyid: "quarantined"}


def test_an_enrolment_must_be_signed_by_the_key_inside_and_for_this_case(bench: Bench) -> None:
    case, device = bench.open_case().case, bench.device()
    other_case = bench.open_case("HB24A0018").case
    path = f"{API}/cases/{case.rma}/enrolment"
    stranger = bench.device(name="stranger")
    stolen = {
        "rma": case.rma,
        "serial": device.serial,
        "key": device.key.public.to_json(),
        "key_protection": "file",
        "time": "",
    }
    forged = dsse.sign(strict_json.canonical(stolen), "application/vnd.hibertek.aiodiag.enrolment+json", stranger.key)
    problem(bench.http.post(path, data=forged), 400, "bad-request")
    problem(bench.http.post(path, data=device.enrolment(other_case.rma)), 404, "unknown-case")
    problem(bench.http.post(path, data=bench.device("OTHER", "o").enrolment(case.rma)), 404, "unknown-case")
    problem(bench.http.post(path, data=b"{" * 60000), 400, "bad-request")
    problem(bench.http.post(path, data=b""), 400, "bad-request")
    problem(bench.http.post(path, data=b" " * (BODY_CAP + 1)), 413, "too-large")
    with bench.receiver.db.read() as session:
        assert session.scalars(select(DeviceKey)).all() == []


def test_two_first_uses_at_the_same_moment_cannot_both_win(bench: Bench) -> None:
    case = bench.open_case().case
    moment = datetime.now(UTC)

    def row(keyid: str) -> DeviceKey:
        return DeviceKey(
            unit_id=case.unit_id,
            keyid=keyid,
            public={},
            protection="file",
            state="enrolled",
            first_seen=moment,
            last_seen=moment,
        )

    with pytest.raises(IntegrityError), bench.receiver.db.write() as session:
        session.add_all([row("a"), row("b")])


@pytest.mark.parametrize("statement", ["UPDATE events SET kind = 'x'", "DELETE FROM events"])
def test_the_timeline_cannot_be_rewritten(bench: Bench, statement: str) -> None:
    bench.open_case()
    with (
        pytest.raises((IntegrityError, OperationalError), match="only ever added"),
        bench.receiver.db.write() as session,
    ):
        session.execute(text(statement))
    with bench.receiver.db.read() as session:
        assert [event.kind for event in session.scalars(select(Event))] == ["case-opened"]


def test_an_rma_number_notices_wrong_and_swapped_digits() -> None:
    rma = new_rma(date(2026, 11, 23))
    assert re.fullmatch(r"HB26-\d{6}-\d", rma)
    assert check_digit(rma[2:4] + rma[5:11]) == int(rma[-1])
    assert tidy_rma(f" {rma.lower()} ") == rma
    wrong = rma[:5] + str((int(rma[5]) + 1) % 10) + rma[6:]
    assert tidy_rma(wrong) == ""
    assert tidy_rma("HB26-٠٠٠٠٠٠-0") == ""


def test_a_claim_code_survives_being_read_over_the_phone() -> None:
    code = new_claim()
    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}", code)
    rma = new_rma(date(2026, 11, 23))
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert claim_hash(rma, typed) == claim_hash(rma, code)
    assert claim_hash(rma, new_claim()) != claim_hash(rma, code)


@pytest.mark.parametrize(
    ("warranty", "last_day"),
    [("chassis", date(2027, 2, 28)), ("lcd", date(2026, 2, 28)), ("motherboard", date(2025, 2, 28))],
)
def test_warranty_runs_from_the_day_of_shipping_to_its_last_day(warranty: str, last_day: date) -> None:
    shipped = date(2024, 2, 29)
    assert cover(warranty, shipped, last_day).covered is True
    after = cover(warranty, shipped, date(last_day.year, 3, 1))
    assert (after.until, after.covered) == (last_day, False)


def test_what_is_not_known_of_a_warranty_is_not_claimed() -> None:
    assert cover("lcd", None, date(2026, 1, 1)).covered is None
    assert cover("spare-part", date(2026, 1, 1), date(2026, 1, 1)).covered is None
