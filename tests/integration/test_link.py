"""From a unit to its owner's telephone: the real agent makes a link, the real receiver opens it."""

from __future__ import annotations

from tests.integration.conftest import Checked
from tests.integration.unit_under_test import Unit
from tests.receiver_process import ReceiverProcess
from tests.staff import Browser


def test_the_owner_sees_the_self_check_on_another_screen(receiver: ReceiverProcess, checked: Checked) -> None:
    url = checked.unit.aiodiag("link", "--json").json()["url"]
    assert url.startswith(f"{receiver.url}/open/")
    there = Browser(receiver.url)
    answer = there.post(url, data={"form": there.form_word(url)})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/cases/{checked.case.rma}")
    page = there.get(answer.headers["location"]).text
    assert "verified with the enrolled key" in page
    assert checked.case.serial in page
    again = checked.unit.aiodiag("link", "--rma", checked.case.rma)
    assert again.status == 0
    assert again.out.startswith(f"{receiver.url}/open/")
    assert again.out.strip() != url


def test_before_anything_was_sent_there_is_nothing_to_show(unit: Unit) -> None:
    ran = unit.aiodiag("link")
    assert ran.status == 2
    assert ran.err.count("\n") == 1
