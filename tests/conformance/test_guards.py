"""Every address of the receiver is either on the list of those for everybody, or guarded; what is new is neither, and
fails here until somebody decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from server_stub.app import create_app
from server_stub.db.accounts import Role
from server_stub.settings import API, Settings
from server_stub.staff.guard import Guard, TokenGuard
from server_stub.staff.roles import MAY, Action, Scope
from tests.staff import SIGN_IN, Browser, account
from tests.unit.server.conftest import Bench, bench, problem, storage

__all__ = ["bench", "storage"]

FOR_EVERYBODY = {
    ("GET", f"{API}/receiver"),
    ("GET", f"{API}/cases/{{rma}}"),
    ("POST", f"{API}/cases/{{rma}}/enrolment"),
    ("POST", f"{API}/cases/{{rma}}/link"),
    ("POST", f"{API}/cases/{{rma}}/tpm-challenge"),
    ("POST", f"{API}/cases/{{rma}}/tpm-answer"),
    ("GET", "/open/{word}"),
    ("POST", "/open/{word}"),
    ("GET", f"{API}/uploads/{{upload_id}}/receipt"),
    ("OPTIONS", f"{API}/uploads"),
    ("POST", f"{API}/uploads"),
    ("OPTIONS", f"{API}/uploads/{{upload_id}}"),
    ("HEAD", f"{API}/uploads/{{upload_id}}"),
    ("PATCH", f"{API}/uploads/{{upload_id}}"),
    ("DELETE", f"{API}/uploads/{{upload_id}}"),
    ("POST", f"{API}/uploads/{{upload_id}}"),
    ("GET", "/"),
    ("GET", "/q/{text}"),
    ("GET", "/Q/{text}"),
    ("GET", "/cases/{rma}"),
    ("GET", "/cases/{rma}/bundles/{bundle}/journal"),
    ("GET", "/cases/{rma}/bundles/{bundle}/file"),
    ("GET", "/cases/{rma}/bundles/{bundle}/entries/{name:path}"),
    ("GET", SIGN_IN),
    ("POST", SIGN_IN),
    ("GET", f"{SIGN_IN}/oidc"),
    ("GET", f"{SIGN_IN}/oidc/done"),
}
"""Method and address of what anybody may ask: each of these looks at RMA number and serial, claim code, signature or
upload id by itself.
"""

FILLED = {"rma": "HB26-000000-0", "bundle": "b", "number": "1", "name": "n"}


def addresses(app: Any) -> Iterator[tuple[str, str, Dependant]]:
    """Every method and address with what it depends on."""
    for route in app.routes:
        for each in getattr(getattr(route, "original_router", None), "routes", [route]):
            if isinstance(each, APIRoute):
                for method in sorted(each.methods):
                    yield method, each.path, each.dependant


def guards(dependant: Dependant) -> list[Guard | TokenGuard]:
    found = [d.call for d in dependant.dependencies if isinstance(d.call, Guard | TokenGuard)]
    return found + [guard for d in dependant.dependencies for guard in guards(d)]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, list[Guard | TokenGuard]]]:
    app = create_app(Settings(tmp_path_factory.mktemp("data")))
    return [(method, path, guards(dependant)) for method, path, dependant in addresses(app)]


def test_every_address_is_guarded_or_on_the_list(walked: list[Any]) -> None:
    unguarded = {(method, path) for method, path, found in walked if not found}
    assert unguarded == FOR_EVERYBODY
    assert len(walked) > len(FOR_EVERYBODY) + 10


def test_what_is_guarded_is_so_once_and_by_its_own_kind(walked: list[Any]) -> None:
    for method, path, found in walked:
        if found:
            [guard] = found
            assert isinstance(guard, TokenGuard if path.startswith(API) else Guard), (method, path)


def test_the_application_has_no_other_addresses(tmp_path: Path) -> None:
    app = create_app(Settings(tmp_path))
    plain = {getattr(route, "path", None) for route in app.routes if not hasattr(route, "original_router")}
    assert plain == {f"{API}/openapi.json", "/static"}


def test_every_action_and_scope_is_used_and_every_action_somebodys(walked: list[Any]) -> None:
    used = {guard.action if isinstance(guard, Guard) else guard.scope for _, _, found in walked for guard in found}
    assert used == {*Action, *Scope}
    assert set(MAY) == set(Action)
    assert all(Role.ADMIN in roles for roles in MAY.values())


def test_strangers_customers_and_wrong_roles_come_no_further(bench: Bench, walked: list[Any]) -> None:
    opened = bench.open_case()
    with_claim = {"claim": opened.claim, "rma": opened.case.rma, "serial": "HB24A0017"}
    people = {}
    for role in Role:
        account(bench.receiver, role.value, role)
        people[role] = Browser(bench.http.base_url)
        assert people[role].sign_in(role.value).status_code == 303
    stranger = Browser(bench.http.base_url)
    for method, path, found in walked:
        if not found:
            continue
        address = path.replace(":path", "").format_map({**FILLED, "rma": opened.case.rma})
        for query in ({}, with_claim):
            answer = stranger.request(method, address, params=query)
            if isinstance(found[0], TokenGuard):
                problem(answer, 401, "unauthorised")
            elif method == "GET":
                assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, SIGN_IN), address
            else:
                assert answer.status_code == 403, address
            assert "AIO 27" not in answer.text
            assert "slow-disk" not in answer.text
        for role, person in people.items():
            answer = person.request(method, address)
            if isinstance(found[0], TokenGuard):
                assert answer.status_code == 401
            elif role not in MAY[found[0].action]:
                assert answer.status_code == 403, (role, address)
            elif method == "GET":
                assert answer.status_code not in {401, 403}, (role, address)
            else:
                assert answer.status_code in {403, 415}, (role, address)  # without the form of a page of ours
