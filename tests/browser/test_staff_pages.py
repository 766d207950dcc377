"""Staff in a real browser, which says by itself where a form comes from."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.ui import WebDriverWait

from server_stub.cases import open_case
from server_stub.db import CaseStatus
from server_stub.db.accounts import Role
from server_stub.settings import API
from tests.device import Device
from tests.serving import serving
from tests.staff import PASSWORD, account

pytestmark = pytest.mark.browser

SERIAL = "HB24A0017"


def test_somebody_signs_in_decides_and_signs_out_in_their_language(browser: webdriver.Chrome, tmp_path: Path) -> None:
    with serving(tmp_path / "data") as (base, receiver):
        account(receiver, "ana", Role.QC)
        with receiver.db.write() as session:
            rma = open_case(session, serial=SERIAL, model="AIO 27", shipped=None, symptom="slow-disk").case.rma
        for name in ("first", "second"):
            device = Device(tmp_path / name, SERIAL)
            requests.post(f"{base}{API}/cases/{rma}/enrolment", data=device.enrolment(rma), timeout=20)

        browser.get(f"{base}/staff/cases/{rma}?lang=es")
        browser.find_element(By.NAME, "name").send_keys("ana")
        browser.find_element(By.NAME, "password").send_keys(PASSWORD)
        _send(browser, "main button")
        assert browser.current_url == f"{base}/staff/cases/{rma}?lang=es"
        assert "espera una decisión" in browser.find_element(By.TAG_NAME, "main").text

        _send(browser, "button[value=accept]")
        assert "espera una decisión" not in browser.find_element(By.TAG_NAME, "main").text

        _send(browser, "form[action^='/staff/sign-out'] button")
        browser.get(f"{base}/staff/cases/{rma}")
        assert "/staff/sign-in" in browser.current_url


def test_a_case_is_shipped_by_its_form(browser: webdriver.Chrome, tmp_path: Path) -> None:
    with serving(tmp_path / "data") as (base, receiver):
        account(receiver, "sue", Role.SUPPORT)
        with receiver.db.write() as session:
            opened = open_case(session, serial=SERIAL)
            opened.case.status = CaseStatus.SHIPPING
            rma = opened.case.rma
        browser.get(f"{base}/staff/cases/{rma}?lang=en")
        browser.find_element(By.NAME, "name").send_keys("sue")
        browser.find_element(By.NAME, "password").send_keys(PASSWORD)
        _send(browser, "main button")

        browser.find_element(By.NAME, "note").send_keys("Drive exchanged")
        browser.find_element(By.CSS_SELECTOR, "button[value=quality-control]").click()
        told = browser.find_element(By.NAME, "tracking")  # still there: the browser does not send it without
        told.send_keys("1Z999AA10123456784")
        _send(browser, "button[value=quality-control]")
        shown = browser.find_element(By.TAG_NAME, "main").text
        assert "The case moved to the step “Quality control”; Tracking number: 1Z999AA10123456784" in shown
        assert "Drive exchanged" in shown
        assert not browser.find_elements(By.CSS_SELECTOR, "button[name=to]")  # the next step is another role's


def _send(browser: webdriver.Chrome, button: str) -> None:
    """Send a form by its button, and wait until the page that had it is gone."""
    page = browser.find_element(By.TAG_NAME, "main")
    browser.find_element(By.CSS_SELECTOR, button).click()
    WebDriverWait(browser, 20).until(staleness_of(page))
