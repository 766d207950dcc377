"""Pages of the receiver over content that means harm: a browser builds what it builds of harmless content."""

from __future__ import annotations

import json
import re

import pytest

from agent.model import Component, ComponentKind, Evidence, Finding, Gap, Outcome, Reading, Severity, Text, Verdict
from server_stub.pages.visible import visible
from tests.device import TIME, Contents
from tests.hostile import HARMLESS, HOSTILE, built, read
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
    said = (word, json.dumps(word, ensure_ascii=False)[1:-1])  # the journal is shown as it was written
    both = pages(bench, SERIAL, word), pages(bench, "HB24A0018", HARMLESS)
    for nasty, plain, spelt in zip(*both, said, strict=True):
        assert built(nasty) == built(plain)
        assert not CONTROLS.search(nasty)
        # And it is there: what a stranger wrote is evidence, and nothing of it was taken for a template or dropped.
        assert " ".join(visible(spelt).split()) in read(nasty)


def test_nothing_is_handed_out_as_a_table(bench: Bench) -> None:
    """There is no CSV: a formula cannot run in a spreadsheet that nobody is offered. A face that offers one must make
    formulas text, and be looked at here.
    """
    schema = bench.http.get("/openapi.json")
    assert "csv" not in schema.text.lower()
    assert "spreadsheet" not in schema.text.lower()
