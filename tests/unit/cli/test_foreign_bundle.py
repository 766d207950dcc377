"""A bundle that is well signed and holds whatever its maker liked: anybody can sign with a key of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.model import Component, ComponentKind, Gap, Outcome, Reading, Text
from tests.agent_process import aiodiag
from tests.device import TIME, Contents, Device

EVIL = "\x1b]0;pwned\x07\x1b[2J\x9b31m\u202e[bold red]x[/]\r\nNothing wrong was found."


def extension(name: str, content: dict[str, Any]) -> bytes:
    artifact = {"testStepId": "storage", "extension": {"name": name, "content": content}}
    record = {"sequenceNumber": 100, "timestamp": TIME, "testStepArtifact": artifact}
    return json.dumps(record).encode() + b"\n"


def finding(**changed: Any) -> bytes:
    usual = {"code": "MEM-3908", "component": "memory-module", "subject": EVIL, "severity": "critical"}
    usual |= {"verdict": "fail", "confidence": 0.9}
    return extension("finding", {**usual, "values": {"count": 3}, "evidence": [], "records": [], **changed})


def gap(**changed: Any) -> bytes:
    usual = {"subject": "sda", "outcome": "error", "reason": {"text": "needs root", "values": {}}, "essential": True}
    return extension("gap", {**usual, "remedy": EVIL, **changed})


EVERYWHERE = Contents(
    readings=[Reading("storage.model", EVIL, "", ComponentKind.STORAGE_DEVICE, EVIL, EVIL, TIME)],
    components=[Component(ComponentKind.STORAGE_DEVICE, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL)],
    gaps=[Gap(EVIL, Outcome.ERROR, Text(EVIL, {EVIL: EVIL}), True, EVIL)],
    raw=finding(),
)
CASES = {
    "escape sequences everywhere": EVERYWHERE,
    "a code of a newer agent": Contents(raw=finding(code="DISK-9990")),
    "a code that is none": Contents(raw=finding(code=EVIL)),
    "values that are none": Contents(raw=finding(values={"count": {"a": [EVIL]}, "subject": [EVIL]})),
    "records that are none": Contents(raw=finding(records=[1e300, -5, "x", None, 10**200])),
    "a template that reaches for attributes": Contents(
        raw=gap(reason={"text": "{a.__class__}{a:>999999999}", "values": {"a": "x"}})
    ),
    "a step without end": Contents(raw=extension("outcome", {"outcome": "pass", "reason": None, "duration_s": 1e308})),
    "needs that are none": Contents(needed=[[1], {"x": 2}, None, EVIL]),
}


@pytest.mark.parametrize("contents", CASES.values(), ids=CASES)
def test_it_is_shown_and_steers_nothing(contents: Contents, tmp_path: Path) -> None:
    bundle = str(Device(tmp_path, "AIO24-0001").bundle(None, None, contents, model=EVIL).path)
    shown, document = aiodiag(tmp_path, "bundle", "show", bundle), aiodiag(tmp_path, "bundle", "show", bundle, "--json")
    assert (shown.status, shown.err, document.status, document.err) == (0, "", 0, "")
    for out in (shown.out, document.out):
        assert out.replace("\n", "").isprintable()
    assert "\nNothing wrong was found." not in shown.out


def test_a_fault_that_this_agent_does_not_know_is_a_fault(tmp_path: Path) -> None:
    contents = Contents(raw=finding(code="DISK-9990"))
    bundle = str(Device(tmp_path, "AIO24-0001").bundle(None, None, contents).path)
    document = aiodiag(tmp_path, "bundle", "show", bundle, "--json").json()
    assert document["verdict"] == "fail"
    assert [f["code"] for f in document["findings"]] == ["DISK-9990"]
    assert "DISK-9990" in aiodiag(tmp_path, "bundle", "show", bundle).out
