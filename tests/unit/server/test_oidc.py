"""Signing in through an identity provider: one of others that is honest, and one of ours that lies."""

from __future__ import annotations

import base64
import hmac
import html
import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from sqlalchemy import select

from server_stub.clock import now
from server_stub.db.accounts import Account, OidcSignIn, Role
from server_stub.staff import accounts
from server_stub.staff.browser import HOME
from server_stub.staff.oidc import PATIENCE, Provider
from server_stub.staff.oidc_config import SECRET as SECRET_VARIABLE
from server_stub.staff.oidc_config import OidcConfig
from tests import oidc_provider
from tests.staff import SIGN_IN, Browser
from tests.unit.server import oidc_issuer
from tests.unit.server.conftest import Bench
from tests.unit.server.oidc_issuer import CLIENT, SECRET, Issuer, honest

ROLES = {"aio-admins": Role.ADMIN, "repair-center": Role.SUPPORT}


def trusting(bench: Bench, issuer: str) -> None:
    """The receiver of the bench, configured for this provider."""
    bench.app.state.oidc = Provider(OidcConfig(issuer, CLIENT, SECRET, "roles", ROLES))


@pytest.fixture
def issuer(bench: Bench) -> Iterator[Issuer]:
    with oidc_issuer.serving() as there:
        trusting(bench, there.url)
        yield there


def begun(bench: Bench, issuer: Issuer, target: str = "") -> tuple[Browser, str, str]:
    """A browser that has signed in at the provider, and the code and state that it comes back with."""
    browser = Browser(bench.http.base_url)
    sent = browser.get(f"{SIGN_IN}/oidc", params={"next": target})
    assert sent.status_code == 303
    return browser, *issuer.authorize(sent.headers["location"])


def back(browser: Browser, **query: str) -> requests.Response:
    return browser.get(f"{SIGN_IN}/oidc/done", params=query)


def refused(browser: Browser, answer: requests.Response) -> bool:
    return answer.status_code == 403 and browser.cookie() == "" and browser.get(HOME).status_code == 303


def account_of(bench: Bench) -> Account | None:
    with bench.receiver.db.read() as session:
        return session.scalar(select(Account).where(Account.shown == "ana@example.com"))


def test_somebody_of_the_organisation_signs_in(bench: Bench, issuer: Issuer) -> None:
    rma = bench.open_case().case.rma
    browser, code, state = begun(bench, issuer, f"/staff/cases/{rma}")
    answer = back(browser, code=code, state=state, iss=issuer.url)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/staff/cases/{rma}")
    page = browser.get(HOME).text
    assert "ana@example.com" in page
    assert "Support" in page
    ana = account_of(bench)
    assert ana is not None
    assert (ana.name, ana.role, ana.password) == (f"oidc:{issuer.url}#ana", Role.SUPPORT, "")


def test_the_role_is_the_one_that_the_provider_says_now(bench: Bench, issuer: Issuer) -> None:
    for roles, expected in (("repair-center", Role.SUPPORT), (["x", "repair-center", "aio-admins"], Role.ADMIN)):
        issuer.token = lambda i, claims, roles=roles: honest(i, {**claims, "roles": roles})
        browser, code, state = begun(bench, issuer)
        assert back(browser, code=code, state=state).status_code == 303
        ana = account_of(bench)
        assert ana is not None
        assert ana.role is expected


def test_nobody_signs_in_with_a_name_and_password_as_somebody_of_the_provider(bench: Bench, issuer: Issuer) -> None:
    browser, code, state = begun(bench, issuer)
    back(browser, code=code, state=state)
    assert Browser(bench.http.base_url).sign_in(f"oidc:{issuer.url}#ana", "").status_code == 403
    with bench.receiver.db.write() as session:
        with pytest.raises(ValueError, match="identity provider"):
            accounts.set_password(session, accounts.named(session, f"oidc:{issuer.url}#ana"), "a good password")
        with pytest.raises(ValueError, match="a name has"):
            accounts.add(session, "oidc:x#y", Role.ADMIN, "a good password")


def unsigned(issuer: Issuer, claims: dict[str, Any]) -> str:
    parts = [json.dumps({"alg": "none"}), json.dumps(claims)]
    return ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts) + "."


def by_the_public_key(issuer: Issuer, claims: dict[str, Any]) -> str:
    """HMAC with what everybody can read at the provider; libraries refuse to make it."""
    parts = [json.dumps({"alg": "HS256", "kid": issuer.key.kid}), json.dumps(claims)]
    signed = ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)
    mac = hmac.digest(issuer.key.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def with_claims(**changed: Any) -> Callable[[Issuer, dict[str, Any]], str]:
    def token(issuer: Issuer, claims: dict[str, Any]) -> str:
        return honest(issuer, {k: v for k, v in {**claims, **changed}.items() if v is not None})

    return token


PAST = int(time.time()) - 3600

LIES = {
    "wrong nonce": with_claims(nonce="another"),
    "no nonce": with_claims(nonce=None),
    "wrong audience": with_claims(aud="another"),
    "no audience": with_claims(aud=None),
    "made for another party": with_claims(aud=[CLIENT, "another"], azp="another"),
    "several audiences and no party": with_claims(aud=[CLIENT, "another"]),
    "wrong issuer": with_claims(iss="https://evil.example"),
    "expired": with_claims(exp=PAST),
    "never expires": with_claims(exp=None),
    "from the future": with_claims(iat=PAST + 86_400, exp=PAST + 90_000),
    "nobody": with_claims(sub=None),
    "no role": with_claims(roles=None),
    "unknown role": with_claims(roles=["Admin", 1, None]),
    "role of a wrong type": with_claims(roles={"aio-admins": True}),
    "alg none": unsigned,
    "HMAC with the public key": by_the_public_key,
    "HMAC with the client's secret": lambda i, c: jwt.encode({"alg": "HS256"}, c, OctKey.import_key(SECRET * 2)),
    "another key": lambda i, c: jwt.encode({"alg": "RS256", "kid": i.key.kid}, c, RSAKey.generate_key(2048)),
    "changed afterwards": lambda i, c: honest(i, c)[:-6] + "AAAAAA",
    "not a token": lambda i, c: "a.b.c",
    "empty": lambda i, c: "",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_token_that_does_not_hold_signs_nobody_in(bench: Bench, issuer: Issuer, lie: str) -> None:
    issuer.token = LIES[lie]
    browser, code, state = begun(bench, issuer)
    assert refused(browser, back(browser, code=code, state=state))
    assert account_of(bench) is None


def test_an_answer_counts_once_with_its_state_and_in_its_browser(bench: Bench, issuer: Issuer) -> None:
    browser, code, state = begun(bench, issuer)
    for wrong in ({"code": code}, {"code": code, "state": ""}, {"code": code, "state": "x" * 43}):
        assert refused(browser, back(browser, **wrong))
    victim = Browser(bench.http.base_url)
    victim.get(SIGN_IN)
    assert refused(victim, back(victim, code=code, state=state))  # somebody else's account is not slipped to them
    browser, code, state = begun(bench, issuer)
    assert back(browser, code=code, state=state).status_code == 303
    other = Browser(bench.http.base_url)
    other.cookies.update(browser.cookies)
    assert back(other, code=code, state=state).status_code == 403


@pytest.mark.parametrize(
    "query", [{"error": "access_denied"}, {}, {"code": "made-up"}, {"code": "", "iss": "https://evil.example"}]
)
def test_no_code_no_sign_in(bench: Bench, issuer: Issuer, query: dict[str, str]) -> None:
    browser, _, state = begun(bench, issuer)
    assert refused(browser, back(browser, state=state, **query))


def test_another_providers_answer_is_not_mixed_up_with_this_ones(bench: Bench, issuer: Issuer) -> None:
    browser, code, state = begun(bench, issuer)
    assert refused(browser, back(browser, code=code, state=state, iss="https://evil.example"))
    assert issuer.asked == []


def test_a_code_without_its_verifier_is_worth_nothing(bench: Bench, issuer: Issuer) -> None:
    browser, code, state = begun(bench, issuer)
    with bench.receiver.db.write() as session:
        session.scalars(select(OidcSignIn)).one().verifier = ""
    assert refused(browser, back(browser, code=code, state=state))
    assert len(issuer.asked) == 1
    assert "code_verifier" not in issuer.asked[0]


def test_a_sign_in_that_takes_too_long_is_begun_anew(bench: Bench, issuer: Issuer) -> None:
    browser, code, state = begun(bench, issuer)
    with bench.receiver.db.write() as session:
        session.scalars(select(OidcSignIn)).one().created = now() - PATIENCE - timedelta(seconds=1)
    assert refused(browser, back(browser, code=code, state=state))


def test_a_disabled_account_stays_out_whatever_the_provider_says(bench: Bench, issuer: Issuer) -> None:
    browser, code, state = begun(bench, issuer)
    back(browser, code=code, state=state)
    with bench.receiver.db.write() as session:
        accounts.disable(session, accounts.named(session, f"oidc:{issuer.url}#ana"))
    assert browser.get(HOME).status_code == 303
    browser, code, state = begun(bench, issuer)
    assert refused(browser, back(browser, code=code, state=state))


@pytest.mark.parametrize(
    "described",
    [{"issuer": "https://evil.example"}, {"token_endpoint": None}, {"authorization_endpoint": "http://192.0.2.1/a"}],
)
def test_a_provider_that_is_none_is_told_so(bench: Bench, issuer: Issuer, described: dict[str, Any]) -> None:
    issuer.described = described
    browser = Browser(bench.http.base_url)
    sent = browser.get(f"{SIGN_IN}/oidc")
    if sent.status_code == 303:
        code, state = issuer.authorize(sent.headers["location"])
        sent = back(browser, code=code, state=state)
    assert sent.status_code == 503
    assert "does not answer" in sent.text


def test_a_provider_that_is_away_does_not_take_the_receiver_along(bench: Bench) -> None:
    trusting(bench, "http://127.0.0.1:9")
    assert bench.http.get(f"{SIGN_IN}/oidc").status_code == 503
    assert "Sign in with your organisation" in bench.http.get(SIGN_IN).text


def test_without_a_provider_there_is_no_such_way_in(bench: Bench) -> None:
    assert bench.http.get(f"{SIGN_IN}/oidc").status_code == 404
    assert bench.http.get(f"{SIGN_IN}/oidc/done").status_code == 404
    assert "your organisation" not in bench.http.get(SIGN_IN).text


def test_a_real_provider_signs_somebody_in_and_its_code_is_bound_to_us(bench: Bench) -> None:
    done = f"{bench.http.base_url}{SIGN_IN}/oidc/done"
    people = {"ana": ["staff", "repair-center"], "ben": ["visitors"]}
    with oidc_provider.serving(CLIENT, SECRET, done, people) as url:
        trusting(bench, url)
        ana = Browser(bench.http.base_url)
        answer = ana.get(signed_in_at(url, ana, "ana"))
        assert (answer.status_code, answer.headers["location"]) == (303, HOME)
        assert "ana@example.com" in ana.get(HOME).text
        ben = Browser(bench.http.base_url)
        assert refused(ben, ben.get(signed_in_at(url, ben, "ben")))
        stolen = parse_qs(urlsplit(signed_in_at(url, Browser(bench.http.base_url), "ana")).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": stolen, "redirect_uri": done}
        for more in ({}, {"code_verifier": "x" * 43}):
            token = requests.post(f"{url}/token", data={**form, **more}, auth=(CLIENT, SECRET), timeout=20)
            assert (token.status_code, token.json()["error"]) == (400, "invalid_grant")


def signed_in_at(url: str, browser: Browser, name: str) -> str:
    """Where the provider sends a browser back to, after a person signed in there and agreed."""
    there = requests.Session()
    there.trust_env = False
    address = browser.get(f"{SIGN_IN}/oidc").headers["location"]
    for _ in range(12):
        answer = there.get(address, allow_redirects=False, timeout=20)
        while answer.status_code in {302, 303}:
            address = urljoin(address, answer.headers["location"])
            if not address.startswith(url):
                return address
            answer = there.get(address, allow_redirects=False, timeout=20)
        action = urljoin(url, html.unescape(re.findall(r'<form[^>]* action="([^"]+)"', answer.text)[0]))
        prompt = re.findall(r'name="prompt" value="(\w+)"', answer.text)[0]
        fields = {"prompt": prompt, "login": name, "password": "any"}
        answer = there.post(action, data=fields, allow_redirects=False, timeout=20)
        address = urljoin(action, answer.headers["location"])
        if not address.startswith(url):
            return address
    raise AssertionError("the provider goes round in circles")


CONFIG = """
issuer = "https://id.example.com"
client_id = "aiodiag"
role_claim = "roles"
[roles]
aio-admins = "admin"
"""


def test_the_provider_is_read_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "oidc.toml"
    assert OidcConfig.load(file) is None
    file.write_text(CONFIG)
    monkeypatch.setenv(SECRET_VARIABLE, "from the environment")
    config = OidcConfig.load(file)
    assert config == OidcConfig(
        "https://id.example.com", "aiodiag", "from the environment", "roles", {"aio-admins": Role.ADMIN}
    )
    (tmp_path / "secret").write_text("from a file\n")
    file.write_text(f'client_secret_file = "{tmp_path / "secret"}"\n{CONFIG}')
    config = OidcConfig.load(file)
    assert config is not None
    assert config.secret == "from a file"


@pytest.mark.parametrize(
    ("before", "after"),
    [("https://", "http://"), ("https://id.example.com", "id"), ('"admin"', '"boss"'), ("client_id", "client"),
     ('"aiodiag"', "7"), ("[roles]", "[rules]"), ('role_claim = "roles"', 'role_claim = ""'), ('"roles"', '"'),
     ("[roles]\n", 'roles = "x"\n[more]\n')],
)  # fmt: skip
def test_a_file_that_is_not_right_is_refused_in_one_line(tmp_path: Path, before: str, after: str) -> None:
    file = tmp_path / "oidc.toml"
    file.write_text(CONFIG.replace(before, after))
    with pytest.raises(ValueError, match=re.escape(str(file))) as error:
        OidcConfig.load(file)
    assert "\n" not in str(error.value).splitlines()[0]
