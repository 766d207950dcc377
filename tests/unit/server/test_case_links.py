"""The link that a unit makes for its owner: who gets one, and what whoever opens it sees."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from server_stub import key_decisions
from server_stub.case_links import TO_OPEN, VISIT
from server_stub.cases import Opened, open_case
from server_stub.clock import now
from server_stub.db import DeviceKey, Nonce
from server_stub.db.accounts import CaseLink
from server_stub.settings import API, BODY_CAP
from server_stub.unit_word import FRESH
from tests.device import Contents, Device
from tests.staff import Browser
from tests.unit.server.conftest import Bench, problem
from tests.unit.server.test_intake import FAULT
from uploader import dsse, strict_json
from uploader.receiver import LINK_TYPE

SERIAL = "HB24A0017"
WORDS = "It smells of smoke."


def asked(device: Device, kind: str = LINK_TYPE, **payload: Any) -> bytes:
    return dsse.sign(strict_json.canonical(payload), kind, device.key)


def link(bench: Bench, device: Device, number: str, nonce: str | None = None, **changed: Any) -> Any:
    payload = {"rma": number, "serial": device.serial, "nonce": nonce or bench.nonce(device, number), **changed}
    return bench.http.post(f"{API}/cases/{number}/link", data=asked(device, **payload))


def diagnosed(bench: Bench) -> tuple[Opened, Device]:
    """A case with what its unit sent, and what the customer said."""
    with bench.receiver.db.write() as session:
        opened = open_case(session, serial=SERIAL, words=WORDS, symptom="no-picture")
    device = bench.device(SERIAL)
    sealed = device.bundle(opened.case.rma, bench.nonce(device, opened.case.rma), Contents(findings=[FAULT]))
    bench.upload(opened.case.rma, SERIAL, sealed.path.read_bytes())
    return opened, device


def opened_by(bench: Bench, url: str) -> tuple[Browser, int]:
    """A browser that opened a link, and the status of the answer."""
    there = Browser(bench.http.base_url)
    answer = there.post(url, data={"form": there.form_word(url)})
    return there, answer.status_code


def test_the_owner_sees_what_the_unit_sent_and_nothing_besides(bench: Bench) -> None:
    opened, device = diagnosed(bench)
    rma = opened.case.rma
    url = link(bench, device, rma).json()["url"]
    assert url.startswith(f"{bench.http.base_url}/open/")
    there, status = opened_by(bench, url)
    assert status == 303
    page = there.get(f"/cases/{rma}").text
    assert FAULT.code in page
    assert SERIAL in page
    for hidden in (WORDS, "no-picture", "What happened so far", "/entries/", "/file", "/journal", opened.claim):
        assert hidden not in page
    bundles = [b for b in page.split('"') if "bundle=" in b]
    for path in (*bundles, f"/cases/{rma}/bundles/x/journal"):
        assert WORDS not in there.get(path).text
    assert WORDS in bench.http.get(opened.path).text


def test_a_bundle_of_another_key_is_not_shown_to_this_ones_owner(bench: Bench) -> None:
    opened, device = diagnosed(bench)
    other = bench.device(SERIAL, "other")
    bench.enrol(other, opened.case.rma)
    with bench.receiver.db.write() as session:
        key_decisions.accept(session, key_decisions.find(session, SERIAL, other.key.public.keyid))
    there, status = opened_by(bench, link(bench, other, opened.case.rma).json()["url"])
    assert status == 303
    page = there.get(f"/cases/{opened.case.rma}").text
    assert "No diagnosis has been received yet" in page
    assert FAULT.code not in page
    problem(link(bench, device, opened.case.rma, "0" * 32), 403, "not-enrolled")


def test_a_link_works_once_and_a_look_at_it_does_not_use_it_up(bench: Bench) -> None:
    opened, device = diagnosed(bench)
    url = link(bench, device, opened.case.rma).json()["url"]
    assert [bench.http.get(url.removeprefix(bench.http.base_url)).status_code for _ in range(3)] == [200] * 3
    first, status = opened_by(bench, url)
    assert status == 303
    second, status = opened_by(bench, url)
    assert status == 404
    assert FAULT.code in first.get(f"/cases/{opened.case.rma}").text
    assert FAULT.code not in second.get(f"/cases/{opened.case.rma}").text
    assert opened_by(bench, f"{bench.http.base_url}/open/{'x' * 43}")[1] == 404


def test_a_link_opens_its_own_case_for_its_own_browser_for_a_while(bench: Bench) -> None:
    opened, device = diagnosed(bench)
    rma = opened.case.rma
    url = link(bench, device, rma).json()["url"]
    there, _ = opened_by(bench, url)
    other = bench.open_case(SERIAL)
    assert "Claim code" in there.get(f"/cases/{other.case.rma}").text
    assert there.get("/staff/cases").status_code == 303
    assert there.get(f"/cases/{rma}?claim=WRONG").status_code == 404

    def aged(by: timedelta) -> None:
        with bench.receiver.db.write() as session:
            row = session.scalars(select(CaseLink)).one()
            row.opened = now() - by

    aged(VISIT - timedelta(minutes=1))
    assert FAULT.code in there.get(f"/cases/{rma}").text
    aged(VISIT + timedelta(seconds=1))
    assert "Claim code" in there.get(f"/cases/{rma}").text
    aged(timedelta())
    with bench.receiver.db.write() as session:
        key_decisions.revoke(session, session.scalars(select(DeviceKey)).one())
    assert "Claim code" in there.get(f"/cases/{rma}").text


def test_a_link_that_was_left_lying_opens_nothing(bench: Bench) -> None:
    opened, device = diagnosed(bench)
    url = link(bench, device, opened.case.rma).json()["url"]
    with bench.receiver.db.write() as session:
        session.scalars(select(CaseLink)).one().created = now() - TO_OPEN - timedelta(seconds=1)
    assert opened_by(bench, url)[1] == 404


def test_another_site_cannot_open_a_link_in_somebodys_browser(bench: Bench) -> None:
    opened, device = diagnosed(bench)
    url = link(bench, device, opened.case.rma).json()["url"]
    there = Browser(bench.http.base_url)
    word = there.form_word(url)
    assert there.post(url, data={"form": word}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert there.post(url, data={"form": "0" * 64}).status_code == 403
    assert Browser(bench.http.base_url).post(url, data={"form": word}).status_code == 403
    assert there.post(url, data={"form": word}).status_code == 303


def test_only_the_enrolled_key_over_a_fresh_nonce_of_this_case_gets_a_link(bench: Bench) -> None:
    opened, device = diagnosed(bench)
    rma = opened.case.rma
    stranger = bench.device(SERIAL, "stranger")
    nonce = bench.nonce(device, rma)
    problem(link(bench, stranger, rma, nonce), 403, "not-enrolled")
    problem(link(bench, device, rma, "0" * 32), 409, "conflict")
    other = bench.open_case(SERIAL)
    problem(link(bench, device, rma, bench.nonce(device, other.case.rma)), 409, "conflict")
    problem(link(bench, device, rma, nonce, serial="HB24A0099"), 404, "unknown-case")
    problem(link(bench, device, "HB26-000000-0", nonce), 404, "unknown-case")
    problem(link(bench, device, rma, nonce, rma=other.case.rma), 400, "bad-request")
    problem(link(bench, device, rma, nonce, more=1), 400, "bad-request")
    problem(link(bench, device, rma, nonce, serial=7), 400, "bad-request")
    with bench.receiver.db.write() as session:
        session.get_one(Nonce, nonce).issued = now() - FRESH - timedelta(seconds=1)
    problem(link(bench, device, rma, nonce), 409, "conflict")
    nonce = bench.nonce(device, rma)
    assert link(bench, device, rma, nonce).status_code == 200
    problem(link(bench, device, rma, nonce), 409, "conflict")
    unknown = bench.open_case("HB24A0099").case.rma
    problem(link(bench, bench.device("HB24A0099", "new"), unknown, "0" * 32), 403, "not-enrolled")


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b'{"payload": 1}'])
def test_what_is_no_request_for_a_link_is_told_so(bench: Bench, body: bytes) -> None:
    rma = bench.open_case(SERIAL).case.rma
    problem(bench.http.post(f"{API}/cases/{rma}/link", data=body), 400, "bad-request")


def test_an_enrolment_is_no_request_for_a_link_and_none_is_too_large(bench: Bench) -> None:
    opened, device = diagnosed(bench)
    rma = opened.case.rma
    problem(bench.http.post(f"{API}/cases/{rma}/link", data=device.enrolment(rma)), 400, "bad-request")
    problem(bench.http.post(f"{API}/cases/{rma}/link", data=b"x" * (BODY_CAP + 1)), 413, "too-large")
