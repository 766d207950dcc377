"""The case page in a real browser: what a customer sees of an uploaded bundle, wide and narrow, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import requests
from selenium import webdriver
from selenium.webdriver.common.by import By

from agent.model import Component, ComponentKind, Evidence, Finding, Gap, Outcome, Reading, Severity, Text, Verdict
from server_stub.cases import open_case
from server_stub.settings import API
from tests.device import TIME, Contents, Device, checksum, encode_metadata, metadata
from tests.serving import serving

pytestmark = pytest.mark.browser

SERIAL = "HB24A0017"
_DISK = ComponentKind.STORAGE_DEVICE
_COUNT = Reading("kernel_log.read_errors", 3, "count", _DISK, "sda", "dmesg", TIME)

CONTENTS = Contents(
    findings=[
        Finding("LOG-8400", _DISK, "sda", Severity.CRITICAL, Verdict.FAIL, 0.77, {"count": 3}, (_COUNT,)),
        Finding("LOG-8413", _DISK, "sda", Severity.WARNING, Verdict.UNKNOWN, 0.4, {"count": 2}, (_COUNT,)),
        Finding(
            "NEW-9999",
            ComponentKind.PANEL,
            "<script>document.title='owned'</script>",
            Severity.INFO,
            Verdict.UNKNOWN,
            0.1,
        ),
    ],
    components=[
        Component(_DISK, "sda", "Samsung", "SSD 870 EVO 500GB", "S5Y1NX0R123456", firmware="SVT02B6Q"),
        Component(ComponentKind.PANEL, "card0-eDP-1", "LG Display", "LM270WF5", "0x01010101", part_number="SSA1"),
        Component(ComponentKind.CPU, "cpu0", "Intel", "Core i5-12400", description="6 cores, 12 threads"),
        Component(ComponentKind.MEMORY_MODULE, "DIMM A1", "Kingston", "KVR32S22D8/16", "A1B2C3D4", "9905744"),
    ],
    readings=[
        _COUNT,
        Reading("storage.ata.197.raw", 12, "count", _DISK, "sda", "smartctl -j -a /dev/sda", TIME),
        Reading(
            "thermals.zone.temperature", 63.5, "°C", ComponentKind.CPU, "thermal_zone0", "/sys/class/thermal", TIME
        ),
    ],
    gaps=[
        Gap("fan1", Outcome.UNSUPPORTED, Text("the kernel shows no such sensor")),
        Gap("sda", Outcome.UNSUPPORTED, Text("needs root"), True, "sudo aiodiag probe storage"),
    ],
    evidence=[Evidence("dmesg", "", b"[ 1.0] I/O error, dev sda, sector 8\n", "dmesg", TIME, exit_status=0)],
)


@pytest.fixture(scope="module")
def case_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page of a case that has one bundle."""
    folder = tmp_path_factory.mktemp("receiver")
    words = "Since last week it gets stuck when I open my photos. Sometimes it does not start at all."
    with serving(folder / "data") as (base, receiver):
        with receiver.db.write() as session:
            shipped = date(2025, 3, 14)
            opened = open_case(
                session, serial=SERIAL, model="Hibertek AIO 27 Pro", shipped=shipped, symptom="slow-disk", words=words
            )
            rma, path = opened.case.rma, opened.path
        _send(base, Device(folder / "device", SERIAL), rma)
        yield base + path


def _send(base: str, device: Device, rma: str) -> None:
    enrolled = requests.post(f"{base}{API}/cases/{rma}/enrolment", data=device.enrolment(rma), timeout=20)
    content = device.bundle(rma, enrolled.json()["nonce"], CONTENTS, model="Hibertek AIO 27 Pro").path.read_bytes()
    tus = {"Tus-Resumable": "1.0.0"}
    announced = encode_metadata(metadata(rma, device.serial, content))
    headers = {**tus, "Upload-Length": str(len(content)), "Upload-Metadata": announced}
    location = requests.post(f"{base}{API}/uploads", headers=headers, timeout=20).headers["location"]
    sending = {
        **tus,
        "Content-Type": "application/offset+octet-stream",
        "Upload-Offset": "0",
        "Upload-Checksum": checksum(content),
    }
    assert requests.patch(base + location, headers=sending, data=content, timeout=20).status_code == 204


def _show(browser: webdriver.Chrome, address: str, width: int, *, dark: bool = False) -> None:
    """Load ``address`` in a window of ``width`` that is as high as the page."""
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(address)
    height = browser.execute_script("return document.documentElement.scrollHeight")
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**metrics, "height": height})


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, False), (1280, True)])
def test_findings_and_inventory_are_seen(
    browser: webdriver.Chrome, case_page: str, tmp_path: Path, width: int, dark: bool
) -> None:
    _show(browser, case_page, width, dark=dark)
    shown = browser.find_element(By.TAG_NAME, "main").text
    for expected in (
        "A fault was found",
        "The drive cannot read or write some of its data",
        "Save your data now",
        "S5Y1NX0R123456",
        "sudo aiodiag probe storage",
        "covered until 2028-03-14",
        "ended on 2026-03-14",
    ):
        assert expected in shown, expected
    picture = tmp_path / "case.png"
    assert browser.save_screenshot(str(picture))
    assert picture.stat().st_size > 20_000
    # nothing sticks out to the side, nothing was blocked or failed to load, no content of a device ran
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.get_log("browser") == []
    assert "owned" not in browser.title


def test_details_open_without_any_script(browser: webdriver.Chrome, case_page: str) -> None:
    _show(browser, case_page, 1280)
    readings = browser.find_elements(By.XPATH, "//details[summary[contains(., 'Readings')]]//td")
    assert readings
    assert not readings[0].is_displayed()
    browser.find_element(By.XPATH, "//summary[contains(., 'Readings')]").click()
    assert readings[0].is_displayed()
    assert browser.find_elements(By.TAG_NAME, "script") == []


def test_the_language_is_switched_and_the_journal_read(browser: webdriver.Chrome, case_page: str) -> None:
    _show(browser, case_page, 1280)
    browser.find_element(By.LINK_TEXT, "繁體中文").click()
    assert "硬碟有部分資料無法讀取或寫入" in browser.find_element(By.TAG_NAME, "main").text
    browser.find_element(By.XPATH, "//a[@class='button'][contains(@href, '/journal?')]").click()
    assert "testRunStart" in browser.find_element(By.TAG_NAME, "main").text
