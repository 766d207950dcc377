"""Pages of the receiver over content that means harm: a browser builds what it builds of harmless content."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable

import pytest

from agent.model import Component, ComponentKind, Evidence, Finding, Gap, Outcome, Reading, Severity, Text, Verdict
from server_stub.pages.visible import visible
from tests.device import TIME, Contents
from tests.hostile import HARMLESS, HOSTILE, built, read
from tests.pictures import JPEG, PNG
from tests.unit.server.conftest import Bench

SERIAL = "HB24A0017"
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff]")


def told(word: str) -> Contents:
    """A run in which a part, a log line and everything that names them is called so."""
    log = Reading("kernel_log.read_errors", word, "", ComponentKind.STORAGE_DEVICE, word, word, TIME)
    fault = Finding(
        code="LOG-8400",
        component=ComponentKind.STORAGE_DEVICE,
        subject=word,
        severity=Severity.CRITICAL,
        verdict=Verdict.FAIL,
        confidence=0.77,
        values={"count": word, "line": word},
        evidence=(log,),
    )
    return Contents(
        findings=[fault],
        components=[Component(ComponentKind.STORAGE_DEVICE, word, word, word, word, word, word, word, word)],
        readings=[log],
        gaps=[Gap(word, Outcome.ERROR, Text("could not be read: {error}", {"error": word}), True, word)],
        evidence=[Evidence("dmesg", "", f"[ 1.0] {word}\n".encode(), word, TIME)],
    )


def pages(bench: Bench, serial: str, word: str) -> list[str]:
    """The case page and the journal page of a unit of its own."""
    opened = bench.open_case(serial)
    device = bench.device(serial, serial)
    sealed = device.bundle(opened.case.rma, bench.nonce(device, opened.case.rma), told(word), model=word)
    bench.receipt(bench.upload(opened.case.rma, serial, sealed.path.read_bytes()))
    journal = f"/cases/{opened.case.rma}/bundles/{sealed.bundle_id}/journal?claim={opened.claim}"
    answers = [bench.http.get(path) for path in (opened.path, journal)]
    assert [answer.status_code for answer in answers] == [200, 200]
    return [answer.text for answer in answers]


@pytest.mark.parametrize("word", HOSTILE.values(), ids=HOSTILE)
def test_it_is_text_on_every_page(bench: Bench, word: str) -> None:
    for nasty, plain in zip(pages(bench, SERIAL, word), pages(bench, "HB24A0018", HARMLESS), strict=True):
        assert built(nasty) == built(plain)
        assert not CONTROLS.search(nasty)
        # And it is there: what a stranger wrote is evidence, and nothing of it was taken for a template or dropped.
        assert " ".join(visible(word).split()) in read(nasty)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb() -> bytes:
    """A PNG of 65 535 by 65 535 pixels: 16 GiB for who unpacks it."""
    return (
        PNG[:8]
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 65535, 65535, 8, 6, 0, 0, 0))
        + b"".join((chunk(b"IDAT", zlib.compress(b"\0" * (4 << 20), 9)), chunk(b"IEND", b"")))
    )


SCRIPT = b"<html><script>alert(document.cookie)</script>"
POLYGLOTS: dict[str, Callable[[], bytes]] = {
    "a picture that is a page": lambda: PNG[:8] + chunk(b"tEXt", SCRIPT) + PNG[8:] + SCRIPT,
    "a photo that is a page": lambda: JPEG[:2] + b"\xff\xfe" + struct.pack(">H", 2 + len(SCRIPT)) + SCRIPT + JPEG[2:],
    "a picture that is a script": lambda: b"GIF89a/*" + PNG + b"*/=1;alert(1)",
    "a picture that is an archive": lambda: PNG + b"PK\x05\x06" + bytes(18),
    "a picture that is a drawing with a script": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "a page without a picture": lambda: SCRIPT,
    "a document with a program": lambda: b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj",
    "a picture that fills the memory": bomb,
}


@pytest.mark.parametrize("made", POLYGLOTS.values(), ids=POLYGLOTS)
def test_a_picture_is_never_more_than_bytes(bench: Bench, made: Callable[[], bytes]) -> None:
    """Bytes of a foreign agent, which leaves in what ours takes out: they are text or a download, and never a page."""
    opened, device = bench.open_case(SERIAL), bench.device(SERIAL)
    photo = Evidence("camera", "video0", made(), "camera", TIME)
    contents = Contents(evidence=[photo], components=[Component(ComponentKind.CAMERA, "video0")])
    sealed = device.bundle(opened.case.rma, bench.nonce(device, opened.case.rma), contents)
    bench.upload(opened.case.rma, SERIAL, sealed.path.read_bytes())
    page = bench.http.get(opened.path)
    assert page.status_code == 200
    # The receiver's own sign is the only picture on it.
    assert re.findall(r"<(?:script|img|svg|object|embed|iframe)\b[^ >]* ?[^ >]*", page.text) == [
        '<img src="/static/icon.svg"'
    ]
    addresses = set(re.findall(r'href="([^"]*/entries/attachments/[^"]+)"', page.text))
    assert addresses
    for address in addresses:
        for more in ("", "&download=1"):
            answer = bench.http.get(address.replace("&amp;", "&") + more)
            assert answer.status_code == 200
            kind = answer.headers["content-type"]
            assert kind in {"text/plain; charset=utf-8", "application/octet-stream"}
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            if kind == "application/octet-stream":
                assert answer.headers["content-disposition"].startswith("attachment; ")


def test_nothing_is_handed_out_as_a_table(bench: Bench) -> None:
    """There is no CSV: a formula cannot run in a spreadsheet that nobody is offered. A face that offers one must make
    formulas text, and be looked at here.
    """
    schema = bench.http.get("/openapi.json")
    assert "csv" not in schema.text.lower()
    assert "spreadsheet" not in schema.text.lower()
