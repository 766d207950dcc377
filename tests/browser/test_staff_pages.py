"""Staff in a real browser, which says by itself where a form comes from."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from selenium import webdriver
from selenium.webdriver.common.by import By

from server_stub.cases import open_case
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
        browser.find_element(By.CSS_SELECTOR, "main button").click()
        assert browser.current_url == f"{base}/staff/cases/{rma}?lang=es"
        assert "espera una decisión" in browser.find_element(By.TAG_NAME, "main").text

        browser.find_element(By.CSS_SELECTOR, "button[value=accept]").click()
        assert "espera una decisión" not in browser.find_element(By.TAG_NAME, "main").text

        browser.find_element(By.CSS_SELECTOR, "form[action^='/staff/sign-out'] button").click()
        browser.get(f"{base}/staff/cases/{rma}")
        assert "/staff/sign-in" in browser.current_url
