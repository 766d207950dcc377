"""What stress-ng says, from a clean run to its own breakdown, and what is concluded from it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.catalogue.entry import LANGUAGES, message
from agent.host import Host
from agent.model import Evidence, Finding, Gap, Outcome, Reading, Readings, Text, Verdict
from agent.rules.cpu_test import mismatches
from agent.tests_hw import Bout
from agent.tests_hw.cpu import TEST

TIME = "2026-01-02T03:04:05.678Z"
COMMAND = "stress-ng --cpu 0 --cpu-method all --verify --metrics --seed 42 --temp-path /tmp --timeout "
# All of 0.15.06 (Debian 12) on a machine with two threads.
PASSED = """stress-ng: info:  [29139] setting to a 6 second run per stressor
stress-ng: info:  [29139] dispatching hogs: 2 cpu
stress-ng: metrc: [29139] stressor       bogo ops real time  usr time  sys time   bogo ops/s     bogo ops/s CPU used \
per       RSS Max
stress-ng: metrc: [29139]                           (secs)    (secs)    (secs)   (real time) (usr+sys time) instance \
(%)          (KB)
stress-ng: metrc: [29139] cpu                2483      6.00      3.12      0.06       413.67         781.38        \
26.47          6492
stress-ng: info:  [29139] successful run completed in 6.02s
"""
# A copy of it in which ackermann(3,9) is expected to be one more than it is.
FAILED = """stress-ng: info:  [29810] setting to a 8 second run per stressor
stress-ng: info:  [29810] dispatching hogs: 2 cpu
stress-ng: fail:  [29811] cpu: ackermann error detected, ackermann(3,9) miscalculated
stress-ng: fail:  [29812] cpu: ackermann error detected, ackermann(3,9) miscalculated
stress-ng: fail:  [29811] cpu: ackermann error detected, ackermann(3,9) miscalculated
info: 5 failures reached, aborting stress process
stress-ng: error: [29810] process [29811] (cpu) terminated with an error, exit status=2 (stressor failed)
stress-ng: metrc: [29810] cpu                 634      1.33      0.77      0.01       478.01         818.83        \
29.19          6644
stress-ng: info:  [29810] unsuccessful run completed in 1.37s
"""
# One worker was killed by SIGKILL (SIGSEGV gives the same).
WORKER_KILLED = """stress-ng: info:  [29860] setting to a 30 second run per stressor
stress-ng: info:  [29860] dispatching hogs: 2 cpu
stress-ng: metrc: [29860] cpu                9363     15.00     10.32      0.04       624.11         903.57        \
34.54          6500
stress-ng: fail:  [29860] cpu instance 1 corrupted bogo-ops counter, 599 vs 0
stress-ng: fail:  [29860] cpu instance 1 hash error in bogo-ops counter and run flag, 2451833750 vs 0
stress-ng: fail:  [29860] metrics-check: stressor metrics corrupted, data is compromised
stress-ng: info:  [29860] unsuccessful run completed in 30.02s
"""
# The whole was ended by SIGTERM after 2 s; its exit status is 0.
ENDED = """stress-ng: info:  [29941] setting to a 30 second run per stressor
stress-ng: info:  [29941] dispatching hogs: 2 cpu
stress-ng: metrc: [29941] cpu                 854      1.96      1.04      0.03       435.94         801.86        \
27.18          6436
stress-ng: info:  [29941] successful run completed in 1.97s
"""
LATE = Text("no answer within {seconds} s", {"seconds": 15.0})


def report(text: str, seconds: int, exit_status: int | None = 0, problem: Text | None = None) -> Evidence:
    return Evidence("stress-ng", "", text.encode(), f"{COMMAND}{seconds}", TIME, exit_status, 6.1, problem=problem)


def values(*evidence: Evidence) -> dict[str, object]:
    return {seen.name: seen.value for seen in TEST.interpret(evidence) if isinstance(seen, Reading)}


def judged(*evidence: Evidence) -> list[Finding]:
    return list(mismatches(Readings(seen for seen in TEST.interpret(evidence) if isinstance(seen, Reading))))


def only_gap(*evidence: Evidence) -> Gap:
    (gap,) = TEST.interpret(evidence)
    assert isinstance(gap, Gap)
    assert gap.essential
    return gap


def test_a_clean_run_is_measured_and_no_finding() -> None:
    assert values(report(PASSED, 6)) == {
        "cpu_test.mismatches": 0,
        "cpu_test.bogo_rate": 413.67,
        "cpu_test.seconds": 6.0,
        "cpu_test.threads": 2,
    }
    assert judged(report(PASSED, 6)) == []


def test_a_wrong_result_is_a_fault_of_the_processor() -> None:
    (finding,) = judged(report(FAILED, 8, 2))
    assert (finding.code, finding.verdict, finding.values["count"]) == ("CPU-6106", Verdict.FAIL, 3)
    assert [r.name for r in finding.evidence] == ["cpu_test.mismatches"]
    for language in LANGUAGES:
        assert "3" in message(finding, language)


def test_a_worker_that_was_killed_is_no_fault_of_the_processor() -> None:
    gap = only_gap(report(WORKER_KILLED, 30))
    assert gap.outcome is Outcome.ERROR
    assert "corrupted bogo-ops counter" in str(gap.reason)


def test_a_wrong_result_counts_even_where_the_rest_broke_down() -> None:
    assert values(report(FAILED + WORKER_KILLED, 30, 2))["cpu_test.mismatches"] == 3
    assert values(report(FAILED, 8, -9, LATE))["cpu_test.mismatches"] == 3


def test_an_end_before_its_time_is_an_error_and_never_a_zero() -> None:
    assert only_gap(report(ENDED, 30)).outcome is Outcome.ERROR
    assert only_gap(report(PASSED.partition("stress-ng: metrc")[0], 6, -9, LATE)).outcome is Outcome.ERROR
    assert only_gap(report("", 6, -11)).outcome is Outcome.ERROR
    assert only_gap(report("aborting: temp-path '.' must be readable and writeable\n", 6, 1)).outcome is Outcome.ERROR


def test_a_program_that_is_not_there_is_unsupported_with_its_package() -> None:
    missing = Text("{program} is not installed", {"program": "stress-ng"})
    gap = only_gap(report("", 6, None, missing))
    assert (gap.outcome, gap.remedy) == (Outcome.UNSUPPORTED, "sudo apt-get install stress-ng")


def test_a_worker_that_could_not_get_something_is_no_mismatch() -> None:
    """No check of 0.15.06 says so; other versions may."""
    text = PASSED + "stress-ng: fail:  [29140] cpu: mmap failed, errno=12 (Cannot allocate memory)\n"
    assert values(report(text, 6))["cpu_test.mismatches"] == 0


@given(st.text(alphabet="0123456789.-naif٣ ", max_size=40))
def test_odd_numbers_hurt_nobody(number: str) -> None:
    for old in ("413.67", "6.00", "2483", "2 cpu", "29139"):
        for seen in TEST.interpret([report(PASSED.replace(old, number), 6)]):
            assert isinstance(seen, Gap) or seen.to_json()


def test_what_it_starts(tmp_path: Path) -> None:
    (ran,) = TEST.exercise(Host(str(tmp_path)), Bout(5.5, 42, tmp_path))
    assert isinstance(ran, Evidence)
    assert ran.source == f"{COMMAND}5"


@pytest.mark.load
def test_the_real_program() -> None:
    if not Path("/usr/bin/stress-ng").exists():
        pytest.skip("stress-ng is not installed")
    (ran,) = TEST.exercise(Host(), Bout(5, 2**31 - 1, Path("/nowhere")))
    assert isinstance(ran, Evidence)
    assert values(ran)["cpu_test.mismatches"] == 0


@pytest.mark.load
def test_the_real_program_with_a_result_that_it_does_not_expect(tmp_path: Path) -> None:
    """In a copy of 0.15.06 of Debian 12, ackermann(3,9) is compared with 0x3fc (cmp $0x3fc,%eax; jne)."""
    program = Path("/usr/bin/stress-ng")
    compared = bytes.fromhex("3dfc0300007512")
    if not program.exists() or program.read_bytes().count(compared) != 1:
        pytest.skip("stress-ng is not installed, or another one")
    changed = tmp_path / "stress-ng"
    changed.write_bytes(program.read_bytes().replace(compared, b"\x3d\xfd" + compared[2:]))
    changed.chmod(0o755)
    command = [str(changed), *COMMAND.split()[1:], "8"]
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60)
    (finding,) = judged(report((ran.stdout or ran.stderr).decode(), 8, ran.returncode))
    assert finding.code == "CPU-6106"
