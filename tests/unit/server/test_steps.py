"""A case on its way through the steps of the RMA service: who moves it, how, and what is told of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from server_stub import steps
from server_stub.cases import find, timeline
from server_stub.db import CaseStatus
from server_stub.db.accounts import Role
from server_stub.db.audit import AuditRow
from server_stub.settings import API
from server_stub.staff.roles import HANDS_ON, Scope
from tests.staff import Browser
from tests.unit.server.conftest import Bench, problem
from tests.unit.server.test_staff import browser
from tests.unit.server.test_staff_commands import token

TRACKING = "1Z999AA10123456784"
REPORT = "Drive exchanged; 3 h of the recipe without a fault"


def status_of(bench: Bench, rma: str) -> CaseStatus:
    with bench.receiver.db.read() as session:
        case = find(session, rma)
        assert case is not None
        return case.status


def put_at(bench: Bench, rma: str, status: CaseStatus) -> None:
    with bench.receiver.db.write() as session:
        case = find(session, rma)
        assert case is not None
        case.status = status


def moved(there: Browser, rma: str, seen: str, to: str, **told: str) -> int:
    """By the form of the page, whatever it holds."""
    fields = {"form": there.form_word(f"/staff/cases/{rma}"), "from": seen, "to": to, **told}
    return there.post(f"/staff/cases/{rma}/step", data=fields).status_code


def audited(bench: Bench, rma: str) -> list[tuple[str, dict[str, Any]]]:
    with bench.receiver.db.read() as session:
        wanted = select(AuditRow).where(AuditRow.action == "case-moved").order_by(AuditRow.sequence)
        rows = session.scalars(wanted).all()
    assert {row.subject for row in rows} <= {f"case:{rma}"}
    return [(row.actor, json.loads(row.detail)) for row in rows]


def test_the_table_leads_from_every_step_to_the_end_and_back_for_another_repair() -> None:
    order = list(CaseStatus)
    assert set(steps.MOVES) == set(HANDS_ON) == set(CaseStatus)
    for at, status in enumerate(order[:-1]):
        first = steps.MOVES[status][0]
        assert first.to is order[at + 1]
    # Whatever does not simply go on is told why.
    for at, status in enumerate(order):
        for one in steps.MOVES[status]:
            assert one.to is not status
            assert one.told or one.to is order[at + 1]
    assert HANDS_ON[CaseStatus.QUALITY_CONTROL] == {Role.QC, Role.ADMIN}
    assert HANDS_ON[CaseStatus.CLOSURE] == {Role.ADMIN}
    assert CaseStatus.REPAIR in {one.to for one in steps.MOVES[CaseStatus.QUALITY_CONTROL]}


def test_a_case_goes_through_all_its_steps_by_those_whose_steps_they_are(bench: Bench) -> None:
    opened = bench.open_case()
    rma = opened.case.rma
    people = {role: browser(bench, role.value, role) for role in (Role.SUPPORT, Role.RD, Role.QC)}
    way: list[tuple[Role, str, dict[str, str]]] = [
        (Role.SUPPORT, "approval", {}),
        (Role.SUPPORT, "repair", {}),
        (Role.RD, "shipping", {}),
        (Role.SUPPORT, "quality-control", {"note": REPORT, "tracking": f" {TRACKING} "}),
        (Role.QC, "repair", {"note": "the fault is still there"}),
        (Role.RD, "shipping", {"note": "board exchanged"}),
        (Role.SUPPORT, "quality-control", {"note": "second report", "tracking": "T-2"}),
        (Role.QC, "customer-feedback", {}),
        (Role.SUPPORT, "closure", {"note": "customer is content"}),
    ]
    for role, to, told in way:
        page = people[role].get(f"/staff/cases/{rma}").text
        assert f'<button name="to" value="{to}">' in page
        seen = status_of(bench, rma)
        assert moved(people[role], rma, seen, to, **told) == 303
        assert status_of(bench, rma) == to

    log = audited(bench, rma)
    assert [(actor, detail["to"]) for actor, detail in log] == [(f"staff:{role.value}", to) for role, to, _ in way]
    assert [detail["from"] for _, detail in log] == ["request", *(to for _, to, _ in way[:-1])]
    assert all(set(detail) == {"from", "to"} for _, detail in log)
    with bench.receiver.db.read() as session:
        case = find(session, rma)
        assert case is not None
        lines = [event.details for event in timeline(session, case) if event.kind == "case-moved"]
    assert lines[3] == {"step": "quality-control", "note": REPORT, "tracking": TRACKING, "by": "staff:support"}

    customers = bench.http.get(opened.path).text
    assert TRACKING in customers
    assert "The case moved to the step “Shipping”" in customers
    assert REPORT not in customers
    assert "staff:" not in customers
    staffs = people[Role.QC].get(f"/staff/cases/{rma}").text
    assert REPORT in staffs
    assert "staff:support" in staffs
    assert bench.http.get(f"{API}/cases/{rma}", params={"serial": "HB24A0017"}).json()["status"] == "closure"


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("status", list(CaseStatus))
def test_a_step_is_left_by_its_own_roles_only(bench: Bench, role: Role, status: CaseStatus) -> None:
    rma = bench.open_case().case.rma
    put_at(bench, rma, status)
    there = browser(bench, "ana", role)
    page = there.get(f"/staff/cases/{rma}").text
    one = steps.MOVES[status][-1]
    told = {"note": "why", **({"tracking": TRACKING} if one.shipped else {})}
    may = role in HANDS_ON[status]
    assert ('<button name="to"' in page) is may
    assert moved(there, rma, status, one.to, **told) == (303 if may else 403)
    assert status_of(bench, rma) is (one.to if may else status)
    assert len(audited(bench, rma)) == may


WRONG: dict[str, tuple[int, str, str, dict[str, str]]] = {
    "a step further": (400, "approval", "shipping", {}),
    "where it is": (400, "approval", "approval", {}),
    "to no step": (400, "approval", "heaven", {}),
    "to nothing": (400, "approval", "", {}),
    "from no step": (400, "heaven", "repair", {}),
    "seen before somebody else moved it": (409, "request", "approval", {}),
    "refused without a word": (400, "approval", "closure", {}),
    "refused with blanks": (400, "approval", "closure", {"note": "  "}),
    "a number of a parcel that nobody sent": (400, "approval", "repair", {"tracking": TRACKING}),
    "a novel": (400, "approval", "repair", {"note": "x" * (steps.NOTE_CAP + 1)}),
}


@pytest.mark.parametrize(("status", "seen", "to", "told"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_moves_nothing(bench: Bench, status: int, seen: str, to: str, told: dict[str, str]) -> None:
    rma = bench.open_case().case.rma
    put_at(bench, rma, CaseStatus.APPROVAL)
    there = browser(bench, "sue", Role.SUPPORT)
    assert moved(there, rma, seen, to, **told) == status
    assert status_of(bench, rma) is CaseStatus.APPROVAL
    assert audited(bench, rma) == []


def test_shipping_ends_with_a_report_and_a_tracking_number(bench: Bench) -> None:
    rma = bench.open_case().case.rma
    put_at(bench, rma, CaseStatus.SHIPPING)
    there = browser(bench, "sue", Role.SUPPORT)
    for told in ({}, {"note": REPORT}, {"tracking": TRACKING}, {"note": REPORT, "tracking": "1" * 65}):
        assert moved(there, rma, "shipping", "quality-control", **told) == 400
    assert status_of(bench, rma) is CaseStatus.SHIPPING


def test_what_staff_wrote_is_text(bench: Bench) -> None:
    opened = bench.open_case()
    put_at(bench, opened.case.rma, CaseStatus.SHIPPING)
    there = browser(bench, "sue", Role.SUPPORT)
    told = {"note": "<script>alert(1)</script>", "tracking": "<b>1</b>"}
    assert moved(there, opened.case.rma, "shipping", "quality-control", **told) == 303
    for page in (bench.http.get(opened.path).text, there.get(f"/staff/cases/{opened.case.rma}").text):
        assert "<script" not in page
        assert "<b>1" not in page
        assert "&lt;b&gt;1" in page


@pytest.mark.parametrize(("lang", "words"), [("es", "Mover al paso «Aprobación»"), ("zh_Hant", "移到「核准」步驟")])
def test_the_form_speaks_the_readers_language(bench: Bench, lang: str, words: str) -> None:
    rma = bench.open_case().case.rma
    there = browser(bench)
    assert words in there.get(f"/staff/cases/{rma}?lang={lang}").text


def test_a_program_moves_a_case(bench: Bench) -> None:
    rma = bench.open_case().case.rma
    number, header = token(bench, Scope.CASES_MOVE)
    address = f"{API}/staff/cases/{rma}/step"
    body = {"from": "request", "to": "approval", "note": "", "tracking": ""}
    answer = bench.http.post(address, json=body, headers=header)
    assert (answer.status_code, answer.json()["status"]) == (200, "approval")
    assert audited(bench, rma) == [(f"token:{number}", {"from": "request", "to": "approval"})]
    problem(bench.http.post(address, json=body, headers=header), 409, "conflict")
    for wrong in (
        {**body, "by": "me"},
        {"from": "approval"},
        {**body, "to": 3},
        {**body, "from": "approval", "to": "closure"},
        [],
    ):
        problem(bench.http.post(address, json=wrong, headers=header), 400, "bad-request")
    problem(bench.http.post(address, data=b"x" * 70_000, headers=header), 413, "too-large")
    unknown = bench.http.post(f"{API}/staff/cases/HB26-000000-0/step", json=body, headers=header)
    problem(unknown, 404, "not-found")
    _, reads = token(bench, Scope.CASES_READ)
    problem(bench.http.post(address, json=body, headers=reads), 403, "forbidden")
    assert status_of(bench, rma) is CaseStatus.APPROVAL
