"""What stressapptest says, from a clean pass to its own breakdown, and what is concluded from it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.catalogue.entry import LANGUAGES, message
from agent.host import Host
from agent.model import Evidence, Finding, Gap, Outcome, Reading, Readings, Text, Verdict
from agent.rules.memory_test import mismatches
from agent.tests_hw import Bout
from agent.tests_hw._test import Measured
from agent.tests_hw.memory import TEST

TIME = "2026-01-02T03:04:05.678Z"
MEMINFO = Evidence("tree", "", b'{"/proc/meminfo": "MemTotal: 1048576 kB\\nMemAvailable: 524288 kB\\n"}', "", TIME)
BEGINNING = """Log: Commandline - stressapptest -W -M 256 -s 5 --max_errors 100
Stats: SAT revision 1.0.6_autoconf, 64 bit binary
Log: 1 nodes, 2 cpus.
Stats: Starting SAT, 256M, 5 seconds
"""
# 1.0.6 of Debian 12 with --force_errors: the program's own way to try out what it prints.
MISCOMPARE = """Report Error: miscompare : DIMM Unknown : 1 : 0s
Hardware Error: miscompare on CPU 1(0x2) at 0x7f922c70c078(0xae51a8:DIMM Unknown): read:0x161616ba16161616, \
reread:0x161616ba16161616 expected:0x1616161616161616
"""
FAILED = """Log: Thread 1 found 2 hardware incidents
Stats: Found 2 hardware incidents
Stats: Completed: 40350.00M in 5.00s 8063.95MB/s, with 2 hardware incidents, 0 errors

Status: FAIL - test discovered HW problems
"""
PASSED = """Stats: Found 0 hardware incidents
Stats: Completed: 45522.00M in 5.00s 9099.32MB/s, with 0 hardware incidents, 0 errors

Status: PASS - please verify no corrected errors
"""
# stressapptest's issue 117: its threads ran out of pages.
PROCEDURAL = """Process Error: copy_thread failed to pop pages, bailing
Process Error: Thread 16 failed with status 0 at 25713.01 seconds
Stats: Found 0 hardware incidents
Stats: Completed: 5160194.00M in 39999.55s 129.01MB/s, with 0 hardware incidents, {errors} errors

Status: FAIL - test encountered procedural errors

Process Error: Fatal issue encountered. See above logs for details.
"""


def report(text: str, exit_status: int | None = 0, problem: Text | None = None) -> Evidence:
    return Evidence(
        "stressapptest", "", text.encode(), "stressapptest -W -M 256", TIME, exit_status, 5.1, problem=problem
    )


def values(evidence: Sequence[Evidence]) -> dict[str, object]:
    return {seen.name: seen.value for seen in TEST.interpret(evidence) if isinstance(seen, Reading)}


def judged(evidence: Sequence[Evidence]) -> list[Finding]:
    return list(mismatches(Readings(seen for seen in TEST.interpret(evidence) if isinstance(seen, Reading))))


def only_gap(evidence: Sequence[Evidence]) -> Gap:
    seen: list[Measured] = list(TEST.interpret(evidence))
    (gap,) = seen
    assert isinstance(gap, Gap)
    assert gap.essential
    return gap


def test_a_clean_pass_is_measured_and_no_finding() -> None:
    assert values([MEMINFO, report(BEGINNING + PASSED)]) == {
        "memory_test.mismatches": 0,
        "memory_test.covered": 256 << 20,
        "memory_test.share": 25.0,
        "memory_test.rate": 9_099_320_000,
    }
    assert judged([MEMINFO, report(BEGINNING + PASSED)]) == []


def test_wrong_data_is_a_fault_of_the_memory() -> None:
    (finding,) = judged([MEMINFO, report(BEGINNING + 2 * MISCOMPARE + FAILED, 1)])
    assert (finding.code, finding.verdict, finding.values["count"]) == ("MEM-3908", Verdict.FAIL, 2)
    assert [r.name for r in finding.evidence] == ["memory_test.mismatches"]
    for language in LANGUAGES:
        assert "2" in message(finding, language)


@pytest.mark.parametrize("errors", [0, 3])
def test_a_breakdown_of_the_program_is_no_fault_of_the_memory(errors: int) -> None:
    """What it counts as errors are its own."""
    gap = only_gap([MEMINFO, report(BEGINNING + PROCEDURAL.format(errors=errors), 1)])
    assert gap.outcome is Outcome.ERROR
    assert "Fatal issue" in str(gap.reason)


def test_wrong_data_counts_even_beside_a_breakdown() -> None:
    assert values([report(BEGINNING + MISCOMPARE + PROCEDURAL.format(errors=1), 1)])["memory_test.mismatches"] == 1


def test_a_pass_that_saw_wrong_data_and_could_read_it_again_is_no_clean_pass() -> None:
    """stressapptest's issue 56."""
    assert values([report(BEGINNING + MISCOMPARE + PASSED)])["memory_test.mismatches"] == 1


def test_what_was_found_before_it_was_ended_counts() -> None:
    late = Text("no answer within {seconds} s", {"seconds": 15.0})
    assert values([MEMINFO, report(BEGINNING + 3 * MISCOMPARE, -9, late)])["memory_test.mismatches"] == 3


def test_an_end_without_a_result_is_an_error_and_never_a_zero() -> None:
    late = Text("no answer within {seconds} s", {"seconds": 15.0})
    assert only_gap([MEMINFO, report(BEGINNING, -9, late)]).outcome is Outcome.ERROR
    assert only_gap([MEMINFO, report(BEGINNING, None, late)]).outcome is Outcome.ERROR  # it could not even be killed
    assert only_gap([MEMINFO, report(BEGINNING + PASSED.partition("Status")[0])]).outcome is Outcome.ERROR
    assert only_gap([MEMINFO, report("")]).outcome is Outcome.ERROR


def test_a_program_that_is_not_there_is_unsupported_with_its_package() -> None:
    missing = Text("{program} is not installed", {"program": "stressapptest"})
    gap = only_gap([MEMINFO, report("", None, missing)])
    assert (gap.outcome, gap.remedy) == (Outcome.UNSUPPORTED, "sudo apt-get install stressapptest")


def test_lines_with_their_time_as_newer_versions_write_them() -> None:
    stamped = "".join(f"2025/03/09-12:42:48(UTC) {line}\n" for line in (BEGINNING + MISCOMPARE + FAILED).splitlines())
    assert values([MEMINFO, report(stamped)])["memory_test.mismatches"] == 2
    stamped = "".join(f"2025/03/09-12:42:48(UTC) {line}\n" for line in (BEGINNING + PASSED).splitlines())
    assert values([MEMINFO, report(stamped)])["memory_test.mismatches"] == 0


@pytest.mark.parametrize("number", ["9" * 5000, "1.2.3", "nan", "-nan", "inf", "٣", "", "-1"])
def test_odd_numbers_hurt_nobody(number: str) -> None:
    for old in ("45522.00M", "5.00s", "9099.32", "0 hardware", "0 errors", "256M", "5 seconds"):
        figure = old.rstrip("Ms").partition(" ")[0]
        odd = (BEGINNING + PASSED).replace(old, old.replace(figure, number))
        for seen in TEST.interpret([MEMINFO, report(odd)]):
            assert isinstance(seen, Gap) or seen.to_json()


@pytest.mark.parametrize(("available_kib", "runs"), [(8 << 20, True), (100_000, False), (0, False)])
def test_a_unit_with_too_little_free_memory_is_not_tested(available_kib: int, runs: bool, tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(f"MemTotal: 16777216 kB\nMemAvailable: {available_kib} kB\n")
    _, ran = TEST.exercise(Host(str(tmp_path)), Bout(5, 1, tmp_path))
    if runs:
        assert isinstance(ran, Evidence)
        assert ran.source == "stressapptest -W -M 1024 -s 5 --max_errors 100"
    else:
        assert isinstance(ran, Gap)
        assert (ran.outcome, ran.essential) == (Outcome.UNSUPPORTED, True)


@pytest.mark.load
def test_the_real_program_with_errors_of_its_own_making() -> None:
    try:
        ran = subprocess.run(
            ["/usr/bin/stressapptest", "-W", "-M", "32", "-m", "1", "-s", "5", "--force_errors"],
            capture_output=True,
            check=False,
            timeout=60,
        )
    except FileNotFoundError:
        pytest.skip("stressapptest is not installed")
    found = values([MEMINFO, report(ran.stdout.decode(), ran.returncode)])["memory_test.mismatches"]
    assert isinstance(found, int)
    assert found >= 1


@pytest.mark.parametrize("exit_status", [1, 2, -11])
def test_a_pass_that_ends_as_no_pass_does_is_an_error(exit_status: int) -> None:
    assert only_gap([MEMINFO, report(BEGINNING + PASSED, exit_status)]).outcome is Outcome.ERROR
