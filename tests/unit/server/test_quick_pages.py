"""What a phone gets that read the picture on a unit's screen, and what support gets for the digits of a caller."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.model import RunVerdict
from server_stub.cases import Opened
from tests.agent_process import aiodiag
from tests.device import Contents, Device
from tests.unit.server.conftest import Bench
from tests.unit.server.test_intake import FAULT, SERIAL
from tests.unit.server.test_serve import server
from uploader.bundle.quick_code import QuickCode, address

DIGEST = "ab" * 32
VERIFIED = "The computer signed this itself"
UNVERIFIED = "This could not be verified"


def code(rma: str | None, serial: str = SERIAL, faults: tuple[int, ...] = (8400,)) -> QuickCode:
    return QuickCode(serial, rma, RunVerdict.FAIL, faults, 1_790_000_000, DIGEST)


def path_of(message: bytes) -> str:
    return address("http://x", message).removeprefix("HTTP://X")


def enrolled(bench: Bench) -> tuple[Opened, Device]:
    opened, device = bench.open_case(SERIAL), bench.device(SERIAL)
    bench.enrol(device, opened.case.rma)
    return opened, device


def test_a_unit_without_internet_opens_its_case_by_a_phone(bench: Bench) -> None:
    opened, device = enrolled(bench)
    sealed = device.bundle(opened.case.rma, None, Contents(findings=[FAULT]))
    device.folder.chmod(0o700)
    told = aiodiag(device.folder, "bundle", "qr", "--server", "https://rma.example.com", "--json").json()
    answer = bench.http.get(told["url"].removeprefix("HTTPS://RMA.EXAMPLE.COM"))
    assert answer.status_code == 200
    for expected in (VERIFIED, opened.case.rma, SERIAL, "LOG-8400", "The drive cannot read", sealed.sha256, "Approval"):
        assert expected in answer.text, expected
    assert f"/?rma={opened.case.rma}&amp;serial={SERIAL}" in answer.text
    assert opened.claim not in answer.text


@pytest.mark.parametrize(
    ("lang", "title"), [("es", "La unidad no puede leer"), ("zh_Hant", "硬碟有部分資料無法讀取或寫入")]
)
def test_in_the_readers_language_and_in_lower_case(bench: Bench, lang: str, title: str) -> None:
    opened, device = enrolled(bench)
    path = path_of(code(opened.case.rma).signed(device.key.signer)).replace("/Q/", "/q/")
    assert title in bench.http.get(f"{path}?lang={lang}").text


def test_unknown_keys_and_wrong_signatures_get_one_answer_that_tells_nothing(bench: Bench) -> None:
    opened, device = enrolled(bench)
    stranger = bench.device(SERIAL, "stranger")
    shown = []
    for serial, signer in ((SERIAL, stranger), ("HB24A0099", device)):
        answer = bench.http.get(path_of(code(opened.case.rma, serial).signed(signer.key.signer)))
        assert answer.status_code == 403
        assert UNVERIFIED in answer.text
        assert VERIFIED not in answer.text
        assert "Approval" not in answer.text
        shown.append(answer.text.replace(serial, "SERIAL").split("<main>")[1])
    assert shown[0] == shown[1]


def test_a_key_that_was_set_aside_does_not_count(bench: Bench) -> None:
    opened, _ = enrolled(bench)
    other = bench.device(SERIAL, "other")
    bench.enrol(other, opened.case.rma)
    assert bench.http.get(path_of(code(opened.case.rma).signed(other.key.signer))).status_code == 403


def test_no_case_is_shown_that_is_not_the_units(bench: Bench) -> None:
    _, device = enrolled(bench)
    theirs = bench.open_case("HB24A0018").case
    answer = bench.http.get(path_of(code(theirs.rma).signed(device.key.signer)))
    assert answer.status_code == 200
    assert "Approval" not in answer.text
    nobodys = bench.http.get(path_of(code(None).signed(device.key.signer)))
    assert nobodys.status_code == 200
    assert "RMA" not in nobodys.text.split("<main>")[1]


def test_what_a_stranger_put_in_stays_text(bench: Bench) -> None:
    nasty = "<script>alert(1)</script>\"'&"
    page = bench.http.get(path_of(code(None, nasty).signed(bench.device(nasty).key.signer))).text
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_fault_of_a_newer_agent_is_shown_by_its_digits(bench: Bench) -> None:
    _, device = enrolled(bench)
    page = bench.http.get(path_of(code(None, faults=(0, 8400)).signed(device.key.signer))).text
    assert "<code>0000</code>" in page


@given(data=st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_changed_is_accepted(bench: Bench, data: st.DataObject) -> None:
    device = bench.device(SERIAL)
    if not (bench.folder / "known").exists():
        bench.enrol(device, bench.open_case(SERIAL).case.rma)
        (bench.folder / "known").touch()
    message = code(None).signed(device.key.signer)
    at = data.draw(st.integers(0, len(message)))
    cut = data.draw(st.integers(at, min(at + 4, len(message))))
    changed = message[:at] + data.draw(st.binary(max_size=4)) + message[cut:]
    answer = bench.http.get(path_of(changed))
    if changed == message:
        assert answer.status_code == 200
    else:
        assert 400 <= answer.status_code < 500
        assert VERIFIED not in answer.text


@pytest.mark.parametrize("text", ["A", "a", "====", "AAAAAAA1", "2" * 641, "2" * 5000, "%00", "機", "A%2FB", "2J"])
def test_every_malformed_address_is_a_clean_refusal(bench: Bench, text: str) -> None:
    for prefix in ("/q/", "/Q/"):
        answer = bench.http.get(prefix + text)
        assert 400 <= answer.status_code < 500
        assert "<h1>" in answer.text


def test_a_second_spelling_is_refused(bench: Bench) -> None:
    device = bench.device("HB24A00170")
    bench.enrol(device, bench.open_case("HB24A00170").case.rma)
    message = code(None, "HB24A00170").signed(device.key.signer)
    assert len(message) % 5 == 1  # two bits of the last character are to spare
    good = base64.b32encode(message).decode().rstrip("=")
    spare = good[:-1] + chr(ord(good[-1]) + 1)
    for text in (good + "=", good.lower(), spare, good + "A"):
        assert bench.http.get(f"/q/{text}").status_code == 400
    assert bench.http.get(f"/q/{good}").status_code == 200


def test_digits_of_a_caller(bench: Bench, tmp_path: Path) -> None:
    device = Device(tmp_path / "unit", SERIAL)
    device.bundle(None, None, Contents(findings=[FAULT]))
    device.folder.chmod(0o700)
    digits = aiodiag(device.folder, "bundle", "code").out.strip()
    assert len(digits) == len("184 012 347")
    page = bench.http.get("/", params={"code": digits, "lang": "es"})
    assert page.status_code == 200
    assert "LOG-8400" in page.text
    assert "La unidad no puede leer" in page.text
    wrong = bench.http.get("/", params={"code": digits[:-1] + str((int(digits[-1]) + 1) % 10)})
    assert wrong.status_code == 400
    assert "not the digits of a code" in wrong.text
    nasty = bench.http.get("/", params={"code": '"><script>alert(1)</script>'})
    assert nasty.status_code == 400
    assert "<script" not in nasty.text


def test_digits_on_the_command_line() -> None:
    done = server("code", "284", "012", "347")
    assert (done.returncode, done.stderr) == (0, "")
    assert "LOG-8400  The drive cannot read or write some of its data" in done.stdout
    assert "1234" in done.stdout
    wrong = server("code", "284012348")
    assert (wrong.returncode, wrong.stdout, wrong.stderr) == (2, "", "aiodiag-server: a digit is wrong\n")
