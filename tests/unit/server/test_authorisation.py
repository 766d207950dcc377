"""Attackers at the receiver's doors: guessed numbers, other people's cases, and forms of other sites."""

from __future__ import annotations

import re
from typing import Any

import pytest

from server_stub.cases import open_case
from server_stub.db.accounts import Role
from server_stub.db.models import Case, KeyState
from server_stub.enrolment import key_of_unit
from server_stub.rma import claim_hash
from server_stub.settings import API, BODY_CAP
from tests.device import Contents
from tests.staff import PASSWORD, SIGN_IN, Browser, account
from tests.unit.server.conftest import Bench, problem
from tests.unit.server.test_intake import FAULT
from tests.unit.server.test_staff import browser, conflict

SERIAL = "HB24A0017"
FORM = "application/x-www-form-urlencoded"


def test_an_unknown_number_and_a_wrong_serial_get_one_answer_everywhere(bench: Bench) -> None:
    rma = bench.open_case(SERIAL).case.rma
    unknown = "HB26-000000-0"
    device, wrong = bench.device(SERIAL), bench.device("HB24A0099", "wrong")
    for one, other in (
        (bench.http.get(f"{API}/cases/{rma}?serial=X"), bench.http.get(f"{API}/cases/{unknown}?serial={SERIAL}")),
        (bench.enrol(wrong, rma), bench.enrol(device, unknown)),
        (bench.create(rma, "HB24A0099", b"x"), bench.create(unknown, SERIAL, b"x")),
    ):
        assert problem(one, 404, "unknown-case") == problem(other, 404, "unknown-case")
    one = bench.http.get(f"/?rma={rma}&serial=X")
    other = bench.http.get(f"/?rma={unknown}&serial=X")
    assert one.status_code == other.status_code == 404
    assert one.text == other.text.replace(unknown, rma)


def test_numbers_are_no_sequence_to_walk_along(bench: Bench) -> None:
    opened = [bench.open_case(SERIAL).case.rma for _ in range(20)]
    middle = [int(rma[5:11]) for rma in opened]
    assert len(set(middle)) == 20
    assert middle != sorted(middle)
    for rma in opened[:3]:
        for near in (1, 2, 3):
            guess = f"{rma[:5]}{(int(rma[5:11]) + near) % 10**6:06d}-{rma[-1]}"
            assert bench.http.get(f"{API}/cases/{guess}?serial={SERIAL}").status_code == 404


def test_number_and_serial_show_the_step_and_nothing_of_the_unit_or_the_warranty(bench: Bench) -> None:
    opened = bench.open_case(SERIAL)
    rma = opened.case.rma
    assert bench.http.get(f"{API}/cases/{rma}?serial={SERIAL}").json() == {"rma": rma, "status": "request"}
    shown = bench.http.get(f"/?rma={rma}&serial={SERIAL}").text
    for hidden in ("AIO 27", "slow-disk", "arranty", "Inventory", opened.claim, "What happened so far"):
        assert hidden not in shown


def test_a_claim_code_opens_its_own_case_and_no_other(bench: Bench) -> None:
    mine, yours = bench.open_case(SERIAL), bench.open_case("HB24A0099")
    assert bench.http.get(mine.path).status_code == 200
    stolen = bench.http.get(f"/cases/{yours.case.rma}?claim={mine.claim}")
    assert stolen.status_code == 404
    assert "HB24A0099" not in stolen.text
    device = bench.device("HB24A0099")
    sealed = device.bundle(yours.case.rma, bench.nonce(device, yours.case.rma), Contents(findings=[FAULT]))
    bench.upload(yours.case.rma, "HB24A0099", sealed.path.read_bytes())
    for rma, claim in ((yours.case.rma, mine.claim), (mine.case.rma, mine.claim), (yours.case.rma, "")):
        for page in ("journal", "file", "entries/journal.jsonl"):
            path = f"/cases/{rma}/bundles/{sealed.bundle_id}/{page}"
            assert bench.http.get(path, params={"claim": claim}).status_code == 404
    assert bench.http.get(f"{mine.path}&bundle={sealed.bundle_id}").status_code == 404


def test_who_reads_the_database_has_no_claim_code_and_a_slow_way_to_it(bench: Bench) -> None:
    one, other = bench.open_case(SERIAL), bench.open_case(SERIAL)
    with bench.receiver.db.read() as session:
        kept = session.get_one(Case, one.case.id).claim_hash
    assert kept == claim_hash(one.case.rma, one.claim)
    assert kept != claim_hash(other.case.rma, one.claim)
    assert bench.http.get(f"/cases/{one.case.rma}?claim={kept}").status_code == 404


def test_the_link_of_a_receipt_needs_the_claim_code_besides(bench: Bench) -> None:
    opened = bench.open_case(SERIAL)
    device = bench.device(SERIAL)
    sealed = device.bundle(opened.case.rma, bench.nonce(device, opened.case.rma), Contents(findings=[FAULT]))
    bench.upload(opened.case.rma, SERIAL, sealed.path.read_bytes())
    shown = bench.http.get(f"/cases/{opened.case.rma}")
    assert "Claim code" in shown.text
    assert FAULT.code not in shown.text
    assert SERIAL not in shown.text


def test_a_customers_page_shows_no_way_to_decide(bench: Bench) -> None:
    rma, _, keyid = conflict(bench)
    with bench.receiver.db.write() as session:
        case = session.query(Case).filter_by(rma=rma).one()
        case.claim_hash = claim_hash(rma, "known")
    page = bench.http.get(f"/cases/{rma}?claim=known")
    assert page.status_code == 200
    assert "waits for a decision" not in page.text
    assert "/keys" not in page.text
    answer = bench.http.post(f"/staff/cases/{rma}/keys", data={"claim": "known", "key": keyid, "decision": "accept"})
    assert answer.status_code == 403


def decision(bench: Bench, there: Browser) -> tuple[str, dict[str, str], Any]:
    """Where a decision is sent, its fields, and whether it had an effect."""
    rma, _, keyid = conflict(bench)
    word = there.form_word(f"/staff/cases/{rma}")

    def accepted() -> bool:
        with bench.receiver.db.read() as session:
            case = session.query(Case).filter_by(rma=rma).one()
            key = key_of_unit(session, case.unit_id, keyid)
            assert key is not None
            return key.state is KeyState.ENROLLED

    return f"/staff/cases/{rma}/keys", {"form": word, "key": keyid, "decision": "accept"}, accepted


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://["},
    ],
)
def test_a_form_of_another_site_decides_nothing_even_with_the_right_word(bench: Bench, headers: dict[str, str]) -> None:
    there = browser(bench)
    path, fields, accepted = decision(bench, there)
    assert there.post(path, data=fields, headers=headers).status_code == 403
    assert not accepted()
    assert there.post(path, data=fields).status_code == 303
    assert accepted()


def test_a_form_without_the_word_of_this_session_decides_nothing(bench: Bench) -> None:
    there = browser(bench)
    other = browser(bench, "ben")
    path, fields, accepted = decision(bench, there)
    old = dict(fields)
    for word in (
        "",
        "0" * 64,
        other.form_word("/staff/cases"),
        there.cookie(),
        "\u00e9",
        there.form_word("/staff/cases")[:63],
    ):
        assert there.post(path, data={**fields, "form": word}).status_code == 403
    assert there.post(path, data={k: v for k, v in fields.items() if k != "form"}).status_code == 403
    there.sign_in("ana")
    assert there.post(path, data=old).status_code == 403  # the word of the session before
    assert not accepted()


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"decision": "accept"}', "application/json", 415),
        (b"decision=accept", "text/plain", 415),
        (b"decision=accept", "multipart/form-data; boundary=x", 415),
        (b"x=" + b"y" * BODY_CAP, FORM, 413),
        (b"&".join(b"a=1" for _ in range(30)), FORM, 400),
        (b"\xff=1", FORM, 400),
    ],
)
def test_a_body_that_is_no_small_form_is_refused(bench: Bench, body: bytes, kind: str, status: int) -> None:
    there = browser(bench)
    for path in ("/staff/sign-out", SIGN_IN):
        assert there.post(path, data=body, headers={"Content-Type": kind}).status_code == status


def test_nothing_is_changed_by_following_a_link(bench: Bench) -> None:
    there = browser(bench)
    path, fields, accepted = decision(bench, there)
    assert there.get(path, params=fields).status_code == 405
    assert there.get("/staff/sign-out", params=fields).status_code == 405
    assert not accepted()
    assert there.get("/staff/cases").status_code == 200


def test_nobody_is_signed_in_by_another_sites_form(bench: Bench) -> None:
    """A victim who is slipped the attacker's account would type secrets into it."""
    account(bench.receiver, "eve", Role.ADMIN)
    fields = {"name": "eve", "password": PASSWORD, "form": Browser(bench.http.base_url).form_word(SIGN_IN)}
    victim = Browser(bench.http.base_url)
    assert victim.post(SIGN_IN, data=fields).status_code == 403
    victim.get(SIGN_IN)
    assert victim.post(SIGN_IN, data=fields).status_code == 403
    right = {**fields, "form": victim.form_word(SIGN_IN)}
    assert victim.post(SIGN_IN, data=right, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert victim.cookie() == ""
    assert victim.post(SIGN_IN, data=right).status_code == 303


def test_names_of_strangers_stay_text_for_staff(bench: Bench) -> None:
    nasty = "<script>alert(1)</script>"
    with bench.receiver.db.write() as session:
        rma = open_case(session, serial=nasty, words=nasty, model=nasty).case.rma
    there = browser(bench)
    for page in (there.get("/staff/cases"), there.get(f"/staff/cases/{rma}")):
        assert page.status_code == 200
        assert "<script" not in page.text
        assert re.search("&lt;script&gt;", page.text, re.IGNORECASE)
    shown = there.get(SIGN_IN, params={"next": '"><script>', "lang": "en"}).text
    assert "<script" not in shown
