from __future__ import annotations

import gzip
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.diagnose.capture import Capture
from agent.diagnose.in_place import InPlace
from agent.diagnose.inputs import read as read_input
from agent.diagnose.judge import judged
from agent.diagnose.of_run import of_bundle, of_run_directory
from agent.journal import Journal, read
from agent.model import Component, ComponentKind, Evidence, Gap, Outcome, Reading, RunVerdict, Text, ocp
from agent.model.run_view import JOURNAL, RunView
from agent.redaction import RULES, Kind
from tests import runs
from tests.pictures import JPEG
from tests.planted import FACTS, LINES, leaks, planted, secrets_in
from tests.unit.uploader.support import BINDING, EDID, ROOT, write_run
from uploader.bundle.format import Manifest
from uploader.bundle.seal import Sealed, seal
from uploader.bundle.verify import open_bundle
from uploader.keys import DeviceKey
from uploader.submission import Desk

TIME = runs.TIME
ODD = bytes(range(160, 256, 4))


def desk(state: Path) -> Desk:
    return Desk(state, lambda _: None, names=lambda: FACTS)


def sealed_run(state: Path, run: Path) -> Sealed:
    view = RunView.from_records(read(run / JOURNAL))
    return desk(state).seal(run, run.name, view, rma=None, nonce=None)


def write(run: Path, steps: Iterable[tuple[str, Iterable[Evidence]]], unit: dict[str, str] | None = None) -> Path:
    """A run of steps with evidence, as the runner records one."""
    with Journal.create(run) as journal:
        start = {"parameters": {"plan": "quick", "needed": []}, "components": [], "metadata": {}}
        unit = unit or {"serial": "HB-AIO-0001", "model": "AIO 24", "serial_source": "person"}
        journal.append(ocp.run_start(version="0.1.0", command_line=f"aiodiag {LINES}", unit=unit, **start))
        for step, evidence in steps:
            journal.append(ocp.step_start(step, step))
            for item in evidence:
                journal.attach(step, item)
            journal.append(ocp.gathered(step), *ocp.step_end(step, Outcome.PASS, None, 1.0, 0.1))
        journal.append(ocp.run_end(RunVerdict.PASS, complete=True))
    return run


def judgement(capture: Capture) -> Any:
    """What a run says of its unit, but for texts that are quoted from its evidence."""
    view = judged(capture, InPlace)
    findings = [
        (f.finding.code, f.finding.component, f.finding.subject, f.finding.severity, f.finding.verdict)
        for f in view.findings
    ]
    numbers = {(r.name, r.subject): r.value for r in view.readings.values() if not isinstance(r.value, str)}
    names = sorted((r.name, r.subject) for r in view.readings.values())
    parts = sorted((c.kind.value, c.name, c.manufacturer, c.model, c.serial, c.part_number) for c in view.components)
    return view.verdict, findings, numbers, names, parts, view.outcomes


def check(tmp_path: Path, name: str, capture: Capture) -> None:
    """Nothing gets through of what was planted into a run, and it is judged as it was."""
    steps = [(step.id, [planted(e) for e in step.evidence]) for step in capture.steps]
    run = write(tmp_path / "runs" / name, steps)
    sealed = sealed_run(tmp_path / "state", run)
    with open_bundle(sealed.path) as bundle:
        assert leaks(bundle) == []
        assert bundle.manifest.redaction is not None
        assert bundle.manifest.redaction.rules == RULES
        assert bundle.manifest.redaction.left_out == ()
    assert judgement(of_bundle(sealed.path)) == judgement(of_run_directory(run))


CAPTURES = sorted((ROOT / "tests" / "captures").glob("*.capture.json"))


@pytest.mark.parametrize("file", CAPTURES, ids=[f.name for f in CAPTURES])
def test_nothing_planted_gets_out_of_a_captured_run(tmp_path: Path, file: Path) -> None:
    _, capture = read_input(file)
    assert any(secrets_in(planted(e).text()) for step in capture.steps for e in step.evidence)
    check(tmp_path, "20260101T000000Z-0001", capture)


EACH = 12
"""Files of each corpus, spread over it: all of them take minutes."""


@pytest.mark.parametrize("corpus", ["dmi", "edid", "kernel-logs", "sensors", "smart"])
def test_nothing_planted_gets_out_of_evidence_of_real_machines(tmp_path: Path, shared: Path, corpus: str) -> None:
    files = sorted(f for f in (shared / "corpora" / corpus).rglob("*") if f.is_file())
    known = [file for file in files[:: max(1, len(files) // EACH)] if _is_input(file)]
    assert known
    for number, file in enumerate(known):
        _, capture = read_input(file)
        if corpus == "edid":  # bytes: nothing can be planted in them, and they stay
            steps = [
                (s.id, [replace(e, source="/sys/class/drm/card0/edid") for e in s.evidence]) for s in capture.steps
            ]
            run = write(tmp_path / "runs" / f"20260101T000000Z-{number:04x}", steps)
            bundle = sealed_run(tmp_path / "state", run).path
            assert judgement(of_bundle(bundle)) == judgement(of_run_directory(run))
        else:
            check(tmp_path, f"20260101T000000Z-{number:04x}", capture)


def _is_input(file: Path) -> bool:
    try:
        read_input(file)
    except Exception:
        return False
    return True


def test_nothing_gets_out_of_the_journal_itself(tmp_path: Path) -> None:
    run = tmp_path / "20260101T000000Z-0001"
    reading = Reading("kernel_log.oom.line", LINES, "", ComponentKind.MOTHERBOARD, "zenzi", "/home/zenzi", TIME)
    part = Component(ComponentKind.STORAGE_DEVICE, "sda", "Samsung", "SSD 980", "S64DNX0R", description=LINES)
    subject = "run/media/zenzi/Zenzis Stick 3c:7c:3f:11:22:33"
    with Journal.create(run) as journal:
        journal.append(runs.run_start(), ocp.step_start("probe.storage", "probe.storage"))
        journal.attach("probe.storage", replace(runs.SMART, subject=subject, problem=Text("{x}", {"x": LINES})))
        gap = Gap("zenzi", Outcome.ERROR, Text("could not be read: {error}", {"error": LINES}))
        journal.append(
            ocp.measurement("probe.storage", reading),
            ocp.component("probe.storage", part),
            ocp.gap("probe.storage", gap),
            ocp.step_error("probe.storage", "crashed", LINES),
            ocp.run_log("INFO", LINES),
            ocp.extension("probe.storage", "parameters", {"person": LINES, "many": [LINES, {"deep": LINES}]}),
        )
    with (run / JOURNAL).open("ab") as file:
        file.write(b'{"torn":"zenzi 3c:7c:3f:11:22:33')
    before = contents(run)
    sealed = sealed_run(tmp_path, run)
    assert contents(run) == before
    with open_bundle(sealed.path) as bundle:
        assert leaks(bundle) == []
        view = RunView.from_records(bundle.journal())
        (file_record,) = view.steps["probe.storage"].files
        assert bundle.read_attachment(file_record["uri"]) == runs.SMART.data
    assert replace(view.components[-1], description="") == replace(part, description="")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


UNIT = {"serial": "Zenzi 3c:7c:3f:11:22:33", "serial_source": "person", "model": "AIO wastl", "board_serial": "zenzi-2"}


def test_serial_numbers_stay_even_where_they_look_like_names(tmp_path: Path) -> None:
    part = Component(ComponentKind.PANEL, "card0-eDP-1", "AUO", "M238", "3c-7c-3f-11-22-33", "zenzi.1", "203.0.114.77")
    reading = Reading("inventory.panel.serial", part.serial, "", part.kind, part.name, "x", TIME)
    run = write(tmp_path / "20260101T000000Z-0001", [], UNIT)
    with Journal.reopen(run)[0] as journal:
        journal.append(ocp.component("probe.panel", part), ocp.measurement("probe.panel", reading))
        journal.attach("probe.panel", Evidence("x", "", f"{part.serial} is {UNIT['serial']}\n".encode(), "x", TIME))
    with open_bundle(sealed_run(tmp_path, run).path) as bundle:
        view = RunView.from_records(bundle.journal())
        assert bundle.statement.run.serial == UNIT["serial"]
        (attachment,) = [name for name in bundle.names if name.startswith("attachments/")]
        assert bundle.read(attachment) == f"{part.serial} is {UNIT['serial']}\n".encode()
    assert view.unit == UNIT
    assert view.components == [part]
    assert [r.value for r in view.readings.values()] == [part.serial]


def evidence_run(folder: Path) -> Path:
    many = LINES * (100_000 // len(LINES))
    return write(
        folder / "20260101T000000Z-0001",
        [
            ("probe.kernel_log", [Evidence("dmesg", "", many.encode(), "dmesg", TIME)]),
            ("probe.wide", [Evidence("text", "", b"\xff\xfe" + LINES.encode("utf-16-le"), "x", TIME)]),
            ("probe.odd", [Evidence("text", "", LINES.encode() + ODD, "x", TIME)]),
            ("probe.unknown", [Evidence("blob", "zenzi", bytes(range(256)) * 20, "x", TIME)]),
            ("probe.panel", [Evidence("edid", "", EDID, "/sys/class/drm/card0-eDP-1/edid", TIME)]),
            ("probe.camera", [Evidence("photo", "", JPEG, "x", TIME)]),
        ],
    )


def test_each_kind_of_content_is_treated_as_it_needs(tmp_path: Path) -> None:
    run = evidence_run(tmp_path)
    with open_bundle(sealed_run(tmp_path, run).path) as bundle:
        assert leaks(bundle) == []
        found = {name: bundle.read_attachment(name) for name in bundle.names if name.startswith("attachments/")}
        assert bundle.manifest.redaction is not None
        (left_out,) = bundle.manifest.redaction.left_out
        assert left_out.startswith("attachments/unknown-blob-user-")
        described = {entry.name: entry.sha256 for entry in bundle.manifest.entries}
        files = [f for s in RunView.from_records(bundle.journal()).steps.values() for f in s.files]
    for file in files:
        if file["uri"] != left_out:
            assert described[file["uri"]] == file["metadata"]["sha256"]
    assert left_out not in found
    assert found["attachments/panel-edid.txt"] == EDID
    assert found["attachments/odd-text.txt"].endswith(ODD)
    assert found["attachments/wide-text.txt"].decode("utf-16").count("\n") == LINES.count("\n")
    assert len(found["attachments/kernel_log-dmesg.txt.gz"]) > 64 * 1024
    assert b"nna" not in found["attachments/camera-photo.txt"]
    (lost,) = [
        g
        for s in judged(of_bundle(only(tmp_path / "bundles")), InPlace).steps.values()
        for g in s.gaps
        if left_out in str(g)
    ]
    assert lost.essential


def only(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_damaged_and_hostile_files_are_left_out(tmp_path: Path) -> None:
    run = write_run(tmp_path / "20260101T000000Z-0001")
    packed = gzip.compress(LINES.encode() * 100, mtime=0)
    (run / "attachments" / "cut.txt.gz").write_bytes(packed[:-9])
    (run / "attachments" / "doubled.txt.gz").write_bytes(packed + packed)
    (run / "attachments" / "no-lines.txt").write_bytes(b"zenzi " * (2 << 20))
    (run / "attachments" / "later.txt").write_bytes(b"a\n" * (1 << 20) + bytes(range(1, 32)) * 40_000)
    with open_bundle(sealed_run(tmp_path, run).path) as bundle:
        assert leaks(bundle) == []
        assert bundle.manifest.redaction is not None
        left_out = {name.rpartition("/")[2] for name in bundle.manifest.redaction.left_out}
    assert left_out == {"cut.txt.gz", "doubled.txt.gz", "no-lines.txt", "later.txt"}


def test_two_bundles_of_a_run_have_other_pseudonyms_and_a_private_mapping_each(tmp_path: Path) -> None:
    run = evidence_run(tmp_path)
    mappings = []
    for _ in range(2):
        sealed = sealed_run(tmp_path, run)
        path = tmp_path / "pseudonyms" / f"{sealed.bundle_id}.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        document = json.loads(path.read_text())
        assert (document["run_id"], document["rules"]) == (run.name, RULES)
        mappings.append({(m["kind"], m["value"]): m["pseudonym"] for m in document["mapping"]})
        with open_bundle(sealed.path) as bundle:
            text = b"".join(b"".join(bundle.chunks(name)) for name in bundle.names)
        assert mappings[-1]["user", "zenzi"].encode() in text
    assert mappings[0].keys() == mappings[1].keys()
    assert not set(mappings[0].values()) & set(mappings[1].values())
    assert os.listdir(tmp_path / "sealing") == []


def test_what_a_killed_sealing_left_is_removed(tmp_path: Path) -> None:
    run = evidence_run(tmp_path)
    left = tmp_path / "sealing" / "tmpabc" / "run"
    left.mkdir(parents=True)
    (left / JOURNAL).write_text("x")
    sealed_run(tmp_path, run)
    assert os.listdir(tmp_path / "sealing") == []


def test_the_preview_says_what_sealing_does_and_writes_nothing(tmp_path: Path) -> None:
    run = evidence_run(tmp_path)
    before = contents(tmp_path)
    preview = desk(tmp_path).preview(run)
    assert contents(tmp_path) == before
    assert list(preview.left_out) == ["attachments/unknown-blob-zenzi.txt"]
    assert preview.stripped == ["attachments/camera-photo.txt"]
    times = {(f.file, f.replaced.kind, f.replaced.value): f.times for f in preview.found}
    in_log = 100_000 // len(LINES)
    assert times["attachments/kernel_log-dmesg.txt.gz", Kind.IP, "203.0.114.77"] == in_log
    assert times["attachments/kernel_log-dmesg.txt.gz", Kind.SSID, "Gartenlaube"] == in_log
    sealed_run(tmp_path, run)
    mapping = json.loads(only(tmp_path / "pseudonyms").read_text())["mapping"]
    assert {(m["kind"], m["value"]) for m in mapping} == {(r.kind.value, r.value) for r in preview.mapping}


def test_a_bundle_of_an_agent_that_did_not_redact(tmp_path: Path, key: DeviceKey) -> None:
    with open_bundle(seal(write_run(tmp_path / "run"), tmp_path, key, BINDING).path) as bundle:
        assert bundle.manifest.redaction is None
        without = json.loads(bundle.read("manifest.json"))
    del without["redaction"]  # as agents wrote it before
    assert Manifest.decode(json.dumps(without).encode()).redaction is None


LARGE = """
import resource, sys
from pathlib import Path
from agent.redaction import Kind, Known
from uploader.bundle.redacted import redact
from uploader.bundle.run_directory import RunDirectory
root = Path(sys.argv[1])
known = [Known(Kind.USER, "zenzi"), Known(Kind.MAC, "3c7c3f112233")]
with RunDirectory(root / "small") as run:
    redact(run, known, root / "copy-1")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with RunDirectory(root / "run") as run:
    redact(run, known, root / "copy-2")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.load  # minutes on a slow machine
def test_memory_does_not_grow_with_an_attachment(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    small = write_run(tmp_path / "small")
    line = b"[    1.000000] eth0: link of zenzi is up, 3c:7c:3f:11:22:33 at 203.0.114.77, flow control rx/tx, no loss\n"
    quiet = b"[    1.000000] usb 1-1: new high-speed USB device number 5 using xhci_hcd\n" * 20_000
    (small / "attachments" / "log.txt").write_bytes(quiet + line * 100)
    with (run / "attachments" / "log.txt").open("wb") as file:
        for _ in range((100 << 20) // len(quiet)):
            file.write(quiet)
            file.write(line * 100)
    command = [sys.executable, "-c", LARGE, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1500, check=True)
    assert int(done.stdout) < 40 << 10, "KiB"
    assert b"zenzi" not in (tmp_path / "copy-2" / "attachments" / "log.txt").read_bytes()
