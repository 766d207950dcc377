"""``aiodiag diagnose`` as its user runs it: what a run concluded is concluded again from its bundle and its capture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.diagnose.capture import Capture, CapturedStep
from agent.diagnose.capture_file import decode, encode
from agent.model import Evidence, Tree
from tests.agent_process import Ran, aiodiag

TIME = "2026-11-23T14:22:33.123Z"
SERIAL = "AIO24-TEST-0001"


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A live self-check of this machine, sealed."""
    state = tmp_path_factory.mktemp("state")
    document: dict[str, Any] = aiodiag(state, "selfcheck", "--serial", SERIAL, "--json").json()
    return state, document


def meminfo(*lines: str) -> Capture:
    data = Tree({"/proc/meminfo": "MemTotal:  16384000 kB\n" + "".join(f"{line}\n" for line in lines)}).encode()
    steps = (CapturedStep("probe.memory", (Evidence("tree", "", data, "/proc/meminfo", TIME),)),)
    return Capture({"serial": SERIAL}, ("probe.memory", "rules"), steps, description="memory, as the kernel counts it")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A file for each exit status."""
    contents = {
        "healthy": encode(meminfo()),
        "ill": encode(meminfo("HardwareCorrupted:  40 kB")),
        "unseen": encode(Capture({}, ("probe.memory", "rules"), (CapturedStep("probe.memory"),))),
        "cut": encode(meminfo())[:-20],
        "text": b"no evidence of any kind\n",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {name: str(tmp_path / name) for name in [*contents, "nowhere"]}


def concluded(document: dict[str, Any]) -> dict[str, Any]:
    """What must be the same; the numbers of records are those of each judgement."""
    findings = [
        {**finding, "evidence": [{**reading, "record": 0} for reading in finding["evidence"]]}
        for finding in document["findings"]
    ]
    same = ("schema", "run_id", "unit", "verdict", "outcomes", "not_seen")
    return {"findings": findings, **{key: document[key] for key in same}}


def test_what_a_run_concluded_is_concluded_from_its_bundle_and_from_its_capture(
    checked: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    state, live = checked
    capture = str(tmp_path / "this.capture.json")
    taken = aiodiag(state, "bundle", "capture", live["bundle"], "-o", capture)
    assert (taken.status, taken.out, taken.err) == (0, f"{capture}\n", "")
    ran = aiodiag(state, "diagnose", live["bundle"], capture, "--json")
    of_bundle, of_capture = ran.json()
    assert concluded(of_bundle) == concluded(live)
    assert concluded(of_capture) == concluded(live)
    assert ran.status == {"pass": 0, "fail": 1, "incomplete": 3}[live["verdict"]]
    assert (of_bundle["input"], of_bundle["kind"], of_bundle["refused"]) == (live["bundle"], "bundle", None)
    assert (of_capture["bundle"], of_capture["kind"]) == (None, "capture")
    assert set(of_bundle) == {*live, "input", "kind", "refused"}


def test_a_capture_of_some_areas(checked: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    state, live = checked
    file = tmp_path / "memory.capture.json"
    words = ("--area", "memory", "--area", "cpu", "--description", "記憶體")
    taken = aiodiag(state, "bundle", "capture", live["bundle"], "-o", str(file), *words, "--json")
    assert taken.json()["steps"] == ["probe.cpu", "probe.memory", "test.memory"]
    capture = decode(file.read_bytes())
    assert encode(capture) == file.read_bytes()
    assert (capture.description, capture.needed) == ("記憶體", ("probe.memory", "rules"))
    (document,) = aiodiag(state, "diagnose", str(file), "--json").json()
    expected = {step: live["outcomes"][step] for step in (*taken.json()["steps"], "rules")}
    assert document["outcomes"] == expected


def test_an_area_that_is_not_in_it(checked: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    state, live = checked
    ran = aiodiag(state, "bundle", "capture", live["bundle"], "-o", str(tmp_path / "x"), "--area", "nothing")
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert "storage" in ran.err
    assert not (tmp_path / "x").exists()


def test_a_flipped_byte_is_refused(checked: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    state, live = checked
    data = bytearray(Path(live["bundle"]).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "bad.zip").write_bytes(data)
    for command in (["diagnose"], ["bundle", "capture", "-o", str(tmp_path / "x")]):
        ran = aiodiag(state, *command, str(tmp_path / "bad.zip"))
        assert (ran.status, ran.out, len(ran.err.splitlines())) == (2, "", 1)
        assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("names", "status"),
    [
        (["healthy"], 0),
        (["ill"], 1),
        (["unseen"], 3),
        (["cut"], 2),
        (["text"], 2),
        (["nowhere"], 2),
        (["healthy", "unseen"], 3),
        (["ill", "unseen", "healthy"], 1),
        (["text", "ill", "cut", "healthy"], 2),
    ],
)
def test_one_file_keeps_no_other_from_being_diagnosed(
    names: Sequence[str], status: int, files: dict[str, str], tmp_path: Path
) -> None:
    ran = aiodiag(tmp_path, "diagnose", "--json", *(files[name] for name in names))
    assert ran.status == status
    assert [document["input"] for document in ran.json()] == [files[name] for name in names]
    refused = [name for name in names if name in {"cut", "text", "nowhere"}]
    assert [d["input"] for d in ran.json() if d["refused"]] == [files[name] for name in refused]
    assert len(ran.err.splitlines()) == len(refused)
    verdicts = {"healthy": "pass", "ill": "fail", "unseen": "incomplete"}
    assert [d["verdict"] for d in ran.json() if not d["refused"]] == [verdicts[n] for n in names if n in verdicts]


def test_a_kind_that_is_named_is_not_looked_for(files: dict[str, str], tmp_path: Path) -> None:
    assert aiodiag(tmp_path, "diagnose", files["healthy"], "--kind", "capture").status == 0
    wrong = aiodiag(tmp_path, "diagnose", files["healthy"], "--kind", "bundle")
    assert (wrong.status, len(wrong.err.splitlines())) == (2, 1)


@pytest.mark.parametrize(("language", "word"), [("en", "a fault"), ("es", "Se ha"), ("zh_Hant", "發現")])
def test_the_result_for_people(language: str, word: str, files: dict[str, str], tmp_path: Path) -> None:
    ran: Ran = aiodiag(tmp_path, "diagnose", files["ill"], files["text"], "--lang", language)
    assert ran.status == 2
    assert files["ill"] in ran.out
    assert "memory, as the kernel counts it" in ran.out
    assert SERIAL in ran.out
    assert "MEM-3023" in ran.out
    assert files["text"] in ran.err


def test_a_foreign_capture_steers_no_terminal(tmp_path: Path) -> None:
    evil = "\x1b]0;pwned\x07\x1b[2J\x9b31m\u202e[bold red]x[/]\r\nNothing wrong was found."
    step = CapturedStep(evil, (Evidence(evil, evil, b"\x1b[2J", evil, evil),))
    capture = Capture({"serial": evil, "model": evil}, (evil,), (step,), evil, evil, evil, evil, evil, evil)
    (tmp_path / "evil").write_bytes(encode(capture))
    shown = aiodiag(tmp_path, "diagnose", str(tmp_path / "evil"))
    document = aiodiag(tmp_path, "diagnose", str(tmp_path / "evil"), "--json")
    assert (shown.status, shown.err, document.status, document.err) == (3, "", 3, "")
    for out in (shown.out, document.out):
        assert out.replace("\n", "").isprintable()
    assert "\nNothing wrong was found." not in shown.out
    assert json.loads(document.out)[0]["unit"]["serial"] == evil
