"""Staff on the receiver: signing in, what their pages show, and what they decide; and everybody who is not staff."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher

from server_stub.clock import now
from server_stub.db.accounts import Account, Role, SignInAttempts, StaffSession
from server_stub.staff import accounts, sessions
from server_stub.staff.browser import HOME, target
from server_stub.staff.passwords import hashed, matches
from server_stub.staff.secret_words import digest_of
from server_stub.staff.sign_in import FREE
from tests.device import Contents
from tests.staff import PASSWORD, SIGN_IN, Browser, account
from tests.unit.server.conftest import Bench
from tests.unit.server.test_intake import FAULT

SERIAL = "HB24A0017"


def browser(bench: Bench, name: str = "ana", role: Role = Role.ADMIN) -> Browser:
    """Somebody who has just signed in."""
    account(bench.receiver, name, role)
    there = Browser(bench.http.base_url)
    assert there.sign_in(name).status_code == 303
    return there


def changed(bench: Bench, table: Any, key: Any, **values: Any) -> None:
    with bench.receiver.db.write() as session:
        row = session.get_one(table, key)
        for name, value in values.items():
            setattr(row, name, value)


def conflict(bench: Bench) -> tuple[str, str, str]:
    """A case whose unit came with another key: its number, the digest of what that key sealed, and the key's id."""
    opened = bench.open_case(SERIAL)
    rma = opened.case.rma
    bench.enrol(bench.device(SERIAL), rma)
    other = bench.device(SERIAL, "other")
    bench.enrol(other, rma)
    sealed = other.bundle(rma, None, Contents(findings=[FAULT]))
    bench.upload(rma, SERIAL, sealed.path.read_bytes())
    return rma, sealed.sha256, other.key.public.keyid


def test_a_password_is_kept_as_argon2id_and_nothing_else() -> None:
    stored = hashed(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PasswordHasher().verify(stored, PASSWORD)
    assert matches(PASSWORD, stored)
    assert not matches(PASSWORD + "x", stored)
    assert not matches("nobody", "")
    assert not matches(PASSWORD, "no hash")
    assert matches("contrase\u00f1a larga 1", hashed("contrasen\u0303a larga 1"))


def test_signing_in_leads_to_the_cases_and_signing_out_ends_it(bench: Bench) -> None:
    opened = bench.open_case(SERIAL)
    there = browser(bench)
    assert opened.case.rma in there.get(HOME).text
    kept = there.cookie()
    out = there.post("/staff/sign-out", data={"form": there.form_word(HOME)})
    assert (out.status_code, out.headers["location"]) == (303, SIGN_IN)
    assert there.cookie() == ""
    again = there.get(HOME, headers={"Cookie": f"aiodiag-staff={kept}"})
    assert again.status_code == 303
    assert again.headers["location"].startswith(SIGN_IN)


def test_the_cookie_is_out_of_reach_and_the_database_has_its_hash_only(bench: Bench) -> None:
    account(bench.receiver, "ana", Role.ADMIN)
    there = Browser(bench.http.base_url)
    answer = there.sign_in("ANA ")
    [given] = [c for c in answer.raw.headers.getlist("set-cookie") if c.startswith("aiodiag-staff=")]
    assert re.fullmatch(r"aiodiag-staff=[\w-]{43}; HttpOnly; Path=/; SameSite=lax", given)
    with bench.receiver.db.read() as session:
        assert session.get(StaffSession, digest_of(there.cookie())) is not None
        assert session.get(StaffSession, there.cookie()) is None


def test_behind_https_cookies_go_over_nothing_else(bench: Bench) -> None:
    object.__setattr__(bench.receiver.settings, "public_url", "https://rma.example.com")
    answer = bench.http.get(SIGN_IN)
    [given] = answer.raw.headers.getlist("set-cookie")
    assert re.fullmatch(r"__Host-aiodiag-visitor=[\w-]{43}; HttpOnly; Path=/; SameSite=lax; Secure", given)


def test_whoever_is_not_signed_in_is_sent_there_and_back(bench: Bench) -> None:
    rma = bench.open_case(SERIAL).case.rma
    account(bench.receiver, "ana", Role.SUPPORT)
    there = Browser(bench.http.base_url)
    asked = there.get(f"/staff/cases/{rma}?lang=es")
    assert (asked.status_code, asked.headers["location"]) == (303, f"{SIGN_IN}?next=%2Fstaff%2Fcases%2F{rma}&lang=es")
    shown = there.get(asked.headers["location"]).text
    assert f'name="next" value="/staff/cases/{rma}"' in shown
    assert 'lang="es"' in shown
    assert there.sign_in("ana", target=f"/staff/cases/{rma}").headers["location"] == f"/staff/cases/{rma}"


@pytest.mark.parametrize(
    "asked",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "/staff/cases/../../evil", "javascript:alert(1)",
     "/staff/sign-out", "/staff/cases?x=//evil.example", "/staff/cases/\r\nSet-Cookie: x=1", "", "/staff/cases\n"],
)  # fmt: skip
def test_after_signing_in_nobody_is_sent_elsewhere(asked: str) -> None:
    assert target(asked) == HOME


def test_one_answer_for_all_who_may_not_sign_in(bench: Bench) -> None:
    account(bench.receiver, "ana", Role.ADMIN)
    disabled = account(bench.receiver, "ben", Role.ADMIN)
    changed(bench, Account, disabled.id, disabled=True)
    told = []
    for name, password in (("ana", "wrong"), ("nobody", PASSWORD), ("ben", PASSWORD), ("", ""), ("oidc:x#y", "")):
        there = Browser(bench.http.base_url)
        answer = there.sign_in(name, password)
        assert answer.status_code == 403
        assert there.cookie() == ""
        told.append(re.sub(r'value="[0-9a-f]{64}"', "", answer.text))
    assert len(set(told)) == 1


@pytest.mark.parametrize("name", ["ana", "nobody"])
def test_guesses_are_slowed_down_whether_the_name_exists_or_not(bench: Bench, name: str) -> None:
    account(bench.receiver, "ana", Role.ADMIN)
    for _ in range(FREE["account"]):
        assert Browser(bench.http.base_url).sign_in(name, "wrong").status_code == 403
    slow = Browser(bench.http.base_url).sign_in(name.upper(), PASSWORD)
    assert slow.status_code == 429
    assert 0 < int(slow.headers["retry-after"]) <= 30
    assert f"wait {slow.headers['retry-after']} seconds" in slow.text
    key = f"account:{digest_of(name)}"
    changed(bench, SignInAttempts, key, last=now() - timedelta(seconds=31))
    last = Browser(bench.http.base_url).sign_in(name, PASSWORD)
    assert last.status_code == (303 if name == "ana" else 403)
    with bench.receiver.db.read() as session:
        assert (session.get(SignInAttempts, key) is None) == (name == "ana")


def test_guesses_at_many_names_from_one_address_are_slowed_down_too(bench: Bench) -> None:
    account(bench.receiver, "ana", Role.ADMIN)
    changed_key = f"address:{digest_of('127.0.0.1')}"
    assert Browser(bench.http.base_url).sign_in("n0", "wrong").status_code == 403
    changed(bench, SignInAttempts, changed_key, count=FREE["address"])
    assert Browser(bench.http.base_url).sign_in("ana").status_code == 429


def test_a_session_ends_when_it_is_left_alone_and_in_any_case(bench: Bench) -> None:
    there = browser(bench)
    digest = digest_of(there.cookie())
    changed(bench, StaffSession, digest, last_used=now() - sessions.IDLE + timedelta(minutes=1))
    assert there.get(HOME).status_code == 200
    with bench.receiver.db.read() as session:
        assert now() - session.get_one(StaffSession, digest).last_used < timedelta(minutes=1)
    changed(bench, StaffSession, digest, last_used=now() - sessions.IDLE - timedelta(seconds=1))
    assert there.get(HOME).status_code == 303
    changed(bench, StaffSession, digest, last_used=now(), created=now() - sessions.ABSOLUTE - timedelta(seconds=1))
    assert there.get(HOME).status_code == 303


def test_a_planted_session_is_not_the_one_that_is_signed_in(bench: Bench) -> None:
    account(bench.receiver, "eve", Role.SUPPORT)
    account(bench.receiver, "ana", Role.ADMIN)
    eve = Browser(bench.http.base_url)
    eve.sign_in("eve")
    ana = Browser(bench.http.base_url)
    ana.cookies.set("aiodiag-staff", eve.cookie())
    assert ana.sign_in("ana").status_code == 303
    mine = {c.value for c in ana.cookies if c.name == "aiodiag-staff"}
    assert mine != {eve.cookie()}
    assert eve.get(HOME).status_code == 303
    made_up = Browser(bench.http.base_url)
    made_up.cookies.set("aiodiag-staff", "x" * 43)
    assert made_up.get(HOME).status_code == 303


@pytest.mark.parametrize("how", ["disable", "password"])
def test_a_live_session_ends_with_the_account_or_its_password(bench: Bench, how: str) -> None:
    there = browser(bench)
    with bench.receiver.db.write() as session:
        ana = accounts.named(session, "ana")
        accounts.disable(session, ana) if how == "disable" else accounts.set_password(session, ana, "another password")
    assert there.get(HOME).status_code == 303


def test_a_disabled_accounts_session_is_worth_nothing_even_while_it_is_kept(bench: Bench) -> None:
    there = browser(bench)
    with bench.receiver.db.write() as session:
        accounts.named(session, "ana").disabled = True
    assert there.get(HOME).status_code == 303


def test_staff_see_everything_that_came_and_decide_between_keys(bench: Bench) -> None:
    rma, sha256, keyid = conflict(bench)
    there = browser(bench, role=Role.QC)
    assert "a key waits for a decision" in there.get(HOME).text
    page = there.get(f"/staff/cases/{rma}").text
    for expected in (keyid, "waits for a decision", "speaks for the unit", "not accepted", sha256):
        assert expected in page, expected
    kept = re.findall(r"/staff/cases/[^\"]+/kept/\d+", page)[0]
    assert bench.device(SERIAL, "other").folder.exists()
    assert len(there.get(kept).content) > 1000
    word = there.form_word(f"/staff/cases/{rma}")
    fields = {"form": word, "key": keyid, "decision": "accept"}
    assert there.post(f"/staff/cases/{rma}/keys", data=fields).status_code == 303
    page = there.get(f"/staff/cases/{rma}").text
    assert page.count("not accepted") == 1  # on the timeline, which keeps what was
    assert "The drive cannot read" in page
    assert "spoke for the unit before" in page
    assert there.post(f"/staff/cases/{rma}/keys", data=fields).status_code == 409
    assert there.post(f"/staff/cases/{rma}/keys", data={**fields, "decision": "revoke"}).status_code == 303
    assert there.post(f"/staff/cases/{rma}/keys", data={**fields, "key": "00"}).status_code == 404
    assert there.post(f"/staff/cases/{rma}/keys", data={**fields, "decision": "burn"}).status_code == 400
    assert there.post("/staff/cases/HB26-000000-0/keys", data=fields).status_code == 404
    assert "refused or revoked" in there.get(f"/staff/cases/{rma}").text


def test_a_role_sees_and_does_what_the_table_says(bench: Bench) -> None:
    rma, _, keyid = conflict(bench)
    support = browser(bench, "sue", Role.SUPPORT)
    rd = browser(bench, "rod", Role.RD)
    page = support.get(f"/staff/cases/{rma}").text
    assert keyid in page
    assert "/kept/" not in page
    assert "Let it speak" not in page
    kept = re.findall(r"/staff/cases/[^\"]+/kept/\d+", rd.get(f"/staff/cases/{rma}").text)[0]
    assert support.get(kept).status_code == 403
    assert rd.get(kept).status_code == 200
    for somebody in (support, rd):
        word = somebody.form_word(HOME)
        fields = {"form": word, "key": keyid, "decision": "accept"}
        assert somebody.post(f"/staff/cases/{rma}/keys", data=fields).status_code == 403
    assert "waits for a decision" in support.get(f"/staff/cases/{rma}").text


@pytest.mark.parametrize("lang", ["en", "es", "zh_Hant"])
def test_staff_read_their_pages_in_their_language(bench: Bench, lang: str) -> None:
    rma, _, _ = conflict(bench)
    there = browser(bench)
    words = {"en": "Keys of this unit", "es": "Claves de este equipo", "zh_Hant": "這台電腦的金鑰"}
    page = there.get(f"/staff/cases/{rma}?lang={lang}").text
    assert words[lang] in page
    assert f"/staff/cases/{rma}/keys?lang={lang}" in page


def test_the_staff_see_the_inside_of_accepted_bundles(bench: Bench) -> None:
    opened = bench.open_case(SERIAL)
    device = bench.device(SERIAL)
    nonce = bench.nonce(device, opened.case.rma)
    sealed = device.bundle(opened.case.rma, nonce, Contents(findings=[FAULT]))
    content = sealed.path.read_bytes()
    bench.upload(opened.case.rma, SERIAL, content)
    there = browser(bench, role=Role.RD)
    base = f"/staff/cases/{opened.case.rma}/bundles/{sealed.bundle_id}"
    page = there.get(f"/staff/cases/{opened.case.rma}?bundle={sealed.bundle_id}").text
    assert f"{base}/journal" in page
    assert f'href="/staff/cases/{opened.case.rma}?bundle=' in there.get(f"{base}/journal").text
    assert there.get(f"{base}/file").content == content
    assert there.get(f"{base}/entries/journal.jsonl").status_code == 200
    assert there.get(f"{base}/entries/none").status_code == 404
    assert there.get(f"/staff/cases/{opened.case.rma}/kept/99999999999999999999").status_code == 404
    assert opened.claim not in page
