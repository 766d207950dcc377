"""What a run says of itself, and what of it counts when it is judged again."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.diagnose import of_run
from agent.diagnose.files import InputRefused
from agent.diagnose.judge import judged
from agent.diagnose.of_run import of_bundle, of_run_directory
from agent.host import Host
from agent.journal import RunStore, read
from agent.model import Evidence, Gap, Outcome, RunVerdict, Text, Tree, ocp
from agent.model.run_view import RunView
from agent.plans import Plan
from agent.runner.run import Request, run
from tests.device import TIME, Contents, Device

TREE = Evidence("tree", "a", Tree({"/proc/a": "1\n"}).encode(), "/proc/a", TIME)
LONG = Evidence("dmesg", "", b"[    0.000000] Linux\n" * 5000, "dmesg", TIME, 0, 0.1)


def written(folder: Path, *artifacts: ocp.Artifact, evidence: Sequence[Evidence] = ()) -> Path:
    """A run directory: its start, one step with some evidence, and what else it says."""
    store = RunStore(folder)
    run_id, journal = store.new()
    with journal:
        parameters = {"plan": "quick", "symptom": "freezes", "needed": ["probe.cpu"]}
        journal.append(
            ocp.run_start(
                version="0.1.0",
                command_line="aiodiag selfcheck",
                parameters=parameters,
                unit={"serial": "AIO24-0001"},
                components=[],
                metadata={},
            ),
            ocp.step_start("probe.cpu", "probe.cpu"),
        )
        for item in evidence:
            journal.attach("probe.cpu", item)
        journal.append(*artifacts)
    return store.path(run_id)


def ended(outcome: Outcome) -> tuple[ocp.Artifact, ocp.Artifact]:
    return ocp.step_end("probe.cpu", outcome, Text("no such hardware"), 1.0, 1.0)


def gap(subject: str) -> ocp.Artifact:
    return ocp.gap("probe.cpu", Gap(subject, Outcome.ERROR, Text("no such hardware")))


GATHERED = ocp.gathered("probe.cpu")
BROKE = ocp.step_error("probe.cpu", "step-timed-out", "no answer")


def test_all_of_it(tmp_path: Path) -> None:
    directory = written(tmp_path, gap("x"), GATHERED, gap("y"), *ended(Outcome.PASS), evidence=[TREE, LONG])
    capture = of_run_directory(directory)
    (step,) = capture.steps
    assert step.evidence == (TREE, LONG)
    assert [g.subject for g in step.gaps] == ["x"]
    assert (step.id, step.outcome, step.reason) == ("probe.cpu", None, None)
    assert (capture.run_id, capture.plan, capture.symptom) == (directory.name, "quick", "freezes")
    assert (capture.unit, capture.needed, capture.agent) == ({"serial": "AIO24-0001"}, ("probe.cpu",), "0.1.0")


@pytest.mark.parametrize(
    ("artifacts", "outcome", "gaps"),
    [
        ([GATHERED, *ended(Outcome.PASS)], None, []),
        ([GATHERED, gap("y"), *ended(Outcome.UNSUPPORTED)], None, []),
        ([GATHERED, gap("y"), *ended(Outcome.ERROR)], None, []),
        ([GATHERED, BROKE, *ended(Outcome.ERROR)], None, []),
        ([gap("x"), BROKE, *ended(Outcome.ERROR)], Outcome.ERROR, ["x"]),
        ([GATHERED, *ended(Outcome.SKIPPED)], Outcome.SKIPPED, []),
        ([*ended(Outcome.SKIPPED)], Outcome.SKIPPED, []),
        ([GATHERED, *ended(Outcome.INTERRUPTED)], Outcome.INTERRUPTED, []),
        ([GATHERED], Outcome.INTERRUPTED, []),
        ([], Outcome.INTERRUPTED, []),
        ([gap("x"), gap("y"), *ended(Outcome.ERROR)], None, ["x", "y"]),
    ],
    ids=[
        "all well",
        "nothing there",
        "an error that the evidence tells",
        "interpreting broke, and may do better today",
        "gathering broke",
        "stopped late",
        "stopped",
        "the unit went down",
        "and nobody closed the run",
        "and that early",
        "by an agent that did not tell where gathering ended",
    ],
)
def test_what_counts(artifacts: list[ocp.Artifact], outcome: Outcome | None, gaps: list[str], tmp_path: Path) -> None:
    (step,) = of_run_directory(written(tmp_path, *artifacts, evidence=[TREE])).steps
    assert step.outcome is outcome
    assert [g.subject for g in step.gaps] == gaps
    assert step.evidence == (TREE,)


def remove(file: Path) -> None:
    file.unlink()


def change(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1] + b"~")


def empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("evidence", [TREE, LONG], ids=["plain", "compressed"])
@pytest.mark.parametrize("lose", [remove, change, empty])
def test_evidence_that_is_lost_was_not_looked_at(
    lose: Callable[[Path], None], evidence: Evidence, tmp_path: Path
) -> None:
    """A power cut takes what was not on disk yet; the journal's record tells."""
    directory = written(tmp_path, GATHERED, *ended(Outcome.PASS), evidence=[evidence])
    (file,) = (directory / "attachments").iterdir()
    lose(file)
    (step,) = of_run_directory(directory).steps
    assert step.evidence == ()
    assert [(g.outcome, g.essential) for g in step.gaps] == [(Outcome.ERROR, True)]


def test_a_bundle_is_what_its_run_directory_is(tmp_path: Path) -> None:
    contents = Contents(evidence=[TREE, LONG], gaps=[Gap("x", Outcome.UNSUPPORTED, Text("no such hardware"))])
    device = Device(tmp_path, "AIO24-0001")
    bundle = device.bundle(None, None, contents).path
    (run_directory,) = (tmp_path / "runs").iterdir()
    assert of_bundle(bundle) == of_run_directory(run_directory)
    assert of_bundle(bundle).steps[0].evidence == (TREE, LONG)


def record(body: dict[str, Any]) -> bytes:
    artifact = {"testStepId": "storage", **body}
    return json.dumps({"sequenceNumber": 100, "timestamp": TIME, "testStepArtifact": artifact}).encode() + b"\n"


HEADER = {**TREE.header(), "sha256": "0" * 64}


@pytest.mark.parametrize(
    "body",
    [
        {"file": {"uri": "attachments/none", "metadata": HEADER}},
        {"file": {"uri": "../../../etc/passwd", "metadata": HEADER}},
        {"file": {"uri": "journal.jsonl", "metadata": HEADER}},
        {"file": {"uri": ["x"], "metadata": HEADER}},
        {"file": {"metadata": HEADER}},
        {"file": {"uri": "journal.jsonl"}},
        {"file": {"uri": "journal.jsonl", "metadata": {**HEADER, "exit_status": {"a": 1}}}},
        {"file": {"uri": "journal.jsonl", "metadata": {**HEADER, "duration_s": 1e999}}},
        {"file": {"uri": "journal.jsonl", "metadata": {**HEADER, "problem": {"text": "x", "values": {"a": []}}}}},
        {"file": {"uri": "journal.jsonl", "metadata": "x"}},
    ],
)
def test_a_well_signed_record_of_no_evidence(body: dict[str, Any], tmp_path: Path) -> None:
    """Anybody can sign whatever they like with a key of their own."""
    bundle = Device(tmp_path, "AIO24-0001").bundle(None, None, Contents(raw=record(body))).path
    (step,) = of_bundle(bundle).steps
    assert [(g.outcome, g.essential) for g in step.gaps] == [(Outcome.ERROR, True)]


def test_more_evidence_than_memory_is_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = Device(tmp_path, "AIO24-0001").bundle(None, None, Contents(evidence=[LONG])).path
    monkeypatch.setattr(of_run, "EVIDENCE_CAP", len(LONG.data) - 1)
    with pytest.raises(InputRefused, match="larger than allowed"):
        of_bundle(bundle)


def test_a_bomb_in_the_run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_run, "MAX_DECOMPRESSED", 1000)
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        of_run._unpacked(gzip.compress(b"\0" * 10**6))


def test_no_run_directory(tmp_path: Path) -> None:
    with pytest.raises(InputRefused):
        of_run_directory(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputRefused):
        of_run_directory(tmp_path / "empty")


ZONE = "sys/class/thermal/thermal_zone0"
HOT = {
    f"{ZONE}/type": "x86_pkg_temp\n",
    f"{ZONE}/temp": "104000\n",
    f"{ZONE}/trip_point_0_type": "critical\n",
    f"{ZONE}/trip_point_0_temp": "105000\n",
    "proc/meminfo": "MemTotal:       16384000 kB\nMemAvailable:   14000000 kB\nHardwareCorrupted:    40 kB\n",
    "proc/uptime": "1000.0 4000.0\n",
}


def test_a_unit_that_is_ill_is_as_ill_when_it_is_judged_again(tmp_path: Path) -> None:
    """A whole run over a file tree: what it concluded, and what is concluded from its evidence."""
    for name, text in HOT.items():
        (tmp_path / "unit" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "unit" / name).write_text(text)
    plan = Plan("test", "1", {}, (), ("thermals", "memory"), {})
    store = RunStore(tmp_path)
    run_id, journal = store.new()
    with journal:
        request = Request(plan, None, None, "en", "aiodiag selfcheck", {"serial": "AIO24-0001"})
        then = run(request, journal, Host(str(tmp_path / "unit")))
    now = judged(of_run_directory(store.path(run_id)))
    assert then == RunView.from_records(read(store.path(run_id) / "journal.jsonl"))
    assert then.verdict is RunVerdict.FAIL
    same(then, now)


def same(then: RunView, now: RunView) -> None:
    assert [f.finding for f in now.findings] == [f.finding for f in then.findings]
    assert now.outcomes == then.outcomes
    assert now.verdict is then.verdict
    assert now.components == then.components
    assert list(now.readings.values()) == list(then.readings.values())
    assert {n: s.gaps for n, s in now.steps.items()} == {n: s.gaps for n, s in then.steps.items()}
    assert (now.unit, now.needed) == (then.unit, then.needed)
