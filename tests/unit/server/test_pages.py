"""What a browser shows: the case, to whoever has the claim code; and strangers' content, made harmless."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import (
    Component,
    ComponentKind,
    Evidence,
    Finding,
    Gap,
    Outcome,
    Reading,
    Severity,
    Text,
    Verdict,
)
from agent.texts import render
from server_stub.cases import Opened
from server_stub.pages.visible import visible
from tests.device import TIME, Contents
from tests.unit.server.conftest import Bench

SERIAL = "HB24A0017"
XSS = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
ANSI = "\x1b[31mred\x1b[0m\x07\u202egnp.exe\u200b"
FORMULA = '=HYPERLINK("http://evil")'


def reading(value: Any = 3, subject: str = "sda") -> Reading:
    return Reading("kernel_log.read_errors", value, "count", ComponentKind.STORAGE_DEVICE, subject, "dmesg", TIME)


def finding(code: str = "LOG-8400", subject: str = "sda", **values: Any) -> Finding:
    return Finding(
        code=code,
        component=ComponentKind.STORAGE_DEVICE,
        subject=subject,
        severity=Severity.CRITICAL,
        verdict=Verdict.FAIL,
        confidence=0.77,
        values=values or {"count": 3},
        evidence=(reading(),),
    )


CONTENTS = Contents(
    findings=[finding()],
    components=[Component(ComponentKind.STORAGE_DEVICE, "sda", "Samsung", "SSD 870 EVO", "S5Y1NX0R123456")],
    readings=[reading()],
    gaps=[Gap("fan1", Outcome.UNSUPPORTED, Text("{program} is not installed", {"program": "sensors"}), remedy="apt")],
    evidence=[Evidence("dmesg", "", b"[ 1.0] I/O error, dev sda\n", "dmesg", TIME, exit_status=0)],
)


def sent(bench: Bench, contents: Contents, *, shipped: date | None = None, model: str = "AIO 27") -> tuple[Opened, str]:
    """A case with one accepted bundle; and the path of the bundle's pages."""
    opened = bench.open_case(SERIAL, shipped=shipped)
    device = bench.device(SERIAL)
    nonce = bench.nonce(device, opened.case.rma)
    sealed = device.bundle(opened.case.rma, nonce, contents, model=model)
    location = bench.upload(opened.case.rma, SERIAL, sealed.path.read_bytes())
    assert bench.receipt(location).status_code == 200
    return opened, f"/cases/{opened.case.rma}/bundles/{sealed.bundle_id}"


def test_the_case_page_shows_what_was_found(bench: Bench) -> None:
    opened, _ = sent(bench, CONTENTS, shipped=date(2020, 1, 31))
    page = bench.http.get(opened.path).text
    for expected in (
        opened.case.rma,
        SERIAL,
        "A fault was found",
        "The drive cannot read or write some of its data",
        "drive sda reported 3 times",
        "Save your data now",
        "77 %",
        "S5Y1NX0R123456",
        "sensors is not installed",
        "kernel_log.read_errors",
        "attachments/",
        "ended on 2023-01-31",
        "offered as a spare part",
        "verified with the enrolled key",
        "sealed after we asked for it",
        bench.device(SERIAL).key.public.keyid,
    ):
        assert expected in page, expected


@pytest.mark.parametrize(
    ("query", "header", "expected", "tag"),
    [
        ("&lang=es", "", "La unidad no puede leer o escribir parte de sus datos", "es"),
        ("&lang=zh_Hant", "", "硬碟有部分資料無法讀取或寫入", "zh-Hant"),
        ("", "fr, zh-TW;q=0.9, en;q=0.1", "硬碟有部分資料無法讀取或寫入", "zh-Hant"),
        ("", "es-MX,es;q=0.9", "La unidad no puede leer", "es"),
        ("&lang=xx", "de;q=banana, *;q=0", "The drive cannot read", "en"),
    ],
)
def test_the_reader_chooses_the_language(bench: Bench, query: str, header: str, expected: str, tag: str) -> None:
    opened, _ = sent(bench, CONTENTS)
    page = bench.http.get(opened.path + query, headers={"Accept-Language": header}).text
    assert expected in page
    assert f'<html lang="{tag}">' in page


def test_strangers_content_stays_text(bench: Bench) -> None:
    nasty = Contents(
        findings=[finding(subject=XSS, count=ANSI), finding(code=XSS), finding(x=[1, [2]], count={"a": 1})],
        components=[
            Component(ComponentKind.STORAGE_DEVICE, XSS, ANSI, FORMULA, XSS, description="x" * 100_000, firmware=ANSI)
        ],
        readings=[reading(XSS), reading("\x1b]0;title\x07"), reading(subject=ANSI)],
        gaps=[
            Gap(XSS, Outcome.ERROR, Text("{a:>1000000000}", {"a": 1}), remedy=XSS),
            Gap(ANSI, Outcome.ERROR, Text("{a.__class__} {a[0]} {", {"a": "x"})),
            Gap("", Outcome.ERROR, Text(XSS, {})),
        ],
        evidence=[Evidence("dmesg", "", XSS.encode() + b"\x1b[31m\xff", XSS, TIME)],
    )
    opened, base = sent(bench, nasty, model=XSS)
    for path in (opened.path, f"{base}/journal?claim={opened.claim}"):
        answer = bench.http.get(path)
        assert answer.status_code == 200
        assert "<script" not in answer.text
        assert "<img src=x" not in answer.text
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202e]", answer.text)
        assert "&lt;script&gt;" in answer.text
    page = bench.http.get(opened.path).text
    assert "␛[31mred" in page
    assert "\\u202egnp.exe\\u200b" in page
    assert "(100000 characters)" in page
    assert len(page) < 100_000
    assert "{a:&gt;1000000000}" in page


def test_every_page_forbids_scripts_and_foreign_content(bench: Bench) -> None:
    opened, base = sent(bench, CONTENTS)
    claim = f"?claim={opened.claim}"
    for path in ("/", opened.path, f"{base}/journal{claim}", f"{base}/entries/journal.jsonl{claim}", "/nothing"):
        answer = bench.http.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert "<script" not in answer.text
        assert not re.search(r"""(src|href)=["'](https?:)?//""", answer.text)
        assert " style=" not in answer.text


def test_raw_evidence_is_plain_text_from_the_signed_list_only(bench: Bench) -> None:
    opened, base = sent(bench, CONTENTS)
    claim = {"claim": opened.claim}
    page = bench.http.get(opened.path).text
    [name] = set(re.findall(r"entries/(attachments/[A-Za-z0-9._-]+)\?", page))
    viewed = bench.http.get(f"{base}/entries/{name}", params=claim)
    assert viewed.headers["content-type"] == "text/plain; charset=utf-8"
    assert viewed.content == b"[ 1.0] I/O error, dev sda\n"
    loaded = bench.http.get(f"{base}/entries/{name}", params={**claim, "download": "1"})
    assert loaded.headers["content-disposition"] == f'attachment; filename="{name.rpartition("/")[2]}"'
    assert loaded.content == viewed.content
    for other in ("envelope.dsse.json", "attachments/none", "%2e%2e/%2e%2e/receiver.sqlite3", "/etc/passwd"):
        assert bench.http.get(f"{base}/entries/{other}", params=claim).status_code == 404
    assert bench.http.get(f"{base}/entries/{name}", params={"claim": "WRONG"}).status_code == 404


def test_the_signed_bundle_can_be_taken_away(bench: Bench) -> None:
    opened, base = sent(bench, CONTENTS)
    answer = bench.http.get(f"{base}/file", params={"claim": opened.claim})
    assert answer.headers["content-type"] == "application/zip"
    [sealed] = (bench.device(SERIAL).folder / "bundles").iterdir()
    assert answer.content == sealed.read_bytes()


def test_the_journal_comes_page_by_page(bench: Bench) -> None:
    opened, base = sent(bench, Contents(readings=[reading(n) for n in range(250)]))
    first = bench.http.get(f"{base}/journal", params={"claim": opened.claim}).text
    assert 'id="r0"' in first
    assert 'id="r199"' in first
    assert 'id="r200"' not in first
    second = bench.http.get(f"{base}/journal", params={"claim": opened.claim, "page_number": 2}).text
    assert 'id="r200"' in second
    beyond = bench.http.get(f"{base}/journal", params={"claim": opened.claim, "page_number": 10**9})
    assert beyond.status_code == 200


def test_a_wrong_claim_code_is_told_nothing_that_an_unknown_case_is_not(bench: Bench) -> None:
    opened = bench.open_case(SERIAL)
    rma = opened.case.rma
    wrong = bench.http.get(f"/cases/{rma}?claim=WRONG")
    unknown = bench.http.get("/cases/HB26-000000-0?claim=WRONG")
    assert wrong.status_code == unknown.status_code == 404
    assert wrong.text == unknown.text.replace("HB26-000000-0", rma)
    assert SERIAL not in wrong.text
    without = bench.http.get(f"/cases/{rma}")
    assert without.text == bench.http.get("/cases/HB26-000000-0").text.replace("HB26-000000-0", rma)


def test_the_first_page_gives_the_coarse_status(bench: Bench) -> None:
    opened = bench.open_case(SERIAL)
    found = bench.http.get("/", params={"rma": opened.case.rma, "serial": SERIAL.lower()})
    assert found.status_code == 200
    assert 'aria-current="step"><span>Request</span>' in found.text
    missed = bench.http.get("/", params={"rma": opened.case.rma, "serial": "OTHER"})
    assert missed.status_code == 404
    assert "There is no case" in missed.text


def test_a_quarantined_bundle_is_listed_with_its_reason_and_not_opened(bench: Bench) -> None:
    opened = bench.open_case(SERIAL)
    bench.enrol(bench.device(SERIAL, "honest"), opened.case.rma)
    forged = bench.device(SERIAL, "other").bundle(opened.case.rma)
    bench.upload(opened.case.rma, SERIAL, forged.path.read_bytes())
    page = bench.http.get(opened.path).text
    assert "sealed by a key that is not enrolled for this unit" in page
    assert "not accepted" in page
    path = f"/cases/{opened.case.rma}/bundles/{forged.bundle_id}/journal"
    assert bench.http.get(path, params={"claim": opened.claim}).status_code == 404


def test_a_stored_bundle_that_was_changed_is_not_shown(bench: Bench) -> None:
    opened, _ = sent(bench, CONTENTS)
    [(digest, stored)] = bench.storage.stored(bench.receiver.settings.data).items()
    content = bytearray(stored)
    content[len(content) // 2] ^= 1
    bench.storage.overwrite(bench.receiver.settings.data, digest, bytes(content))
    page = bench.http.get(opened.path)
    assert page.status_code == 200
    assert "cannot be read any more" in page.text
    assert "S5Y1NX0R123456" not in page.text


@given(st.text(st.characters(), max_size=50) | st.integers() | st.lists(st.text()))
def test_what_is_shown_hides_nothing(value: object) -> None:
    shown = visible(value)
    shown.encode("utf-8")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", shown)


@given(st.text(st.characters(), max_size=30), st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3)))
def test_any_template_gives_a_short_sentence(template: str, values: dict[str, Any]) -> None:
    assert len(render(Text(template, values), "es")) < 200_000
