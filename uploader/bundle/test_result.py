"""The same run in the words of in-toto's test-result predicate, for tools that know nothing of ours.

Source: in-toto/attestation, spec/predicates/test-result.md, version 0.1.
"""

from __future__ import annotations

from agent.model import Outcome, RunVerdict, Severity, Verdict
from agent.model.run_view import RunView, StepView
from uploader.bundle.format import TEST_RESULT_PREDICATE, Subject, Version, encode_statement

_RESULT = {RunVerdict.PASS: "PASSED", RunVerdict.FAIL: "FAILED", RunVerdict.INCOMPLETE: "WARNED"}


def encode_test_result(journal: Subject, run: RunView, plan: Version, verdict: RunVerdict) -> bytes:
    """The statement's bytes; its subject is the journal.

    The predicate knows no "could not be judged". Such a step (and such a run) is WARNED: neither a pass, which would be
    false, nor a failure of the hardware.
    """
    names: dict[str, list[str]] = {"PASSED": [], "WARNED": [], "FAILED": []}
    for step_id, step in run.steps.items():
        names[_step_result(step)].append(step_id)
    predicate = {
        "result": _RESULT[verdict],
        "configuration": [
            {
                "name": plan.name,
                "uri": f"https://hibertek.com/aiodiag/plans/{plan.name}/{plan.version}",
            }
        ],
        "passedTests": names["PASSED"],
        "warnedTests": names["WARNED"],
        "failedTests": names["FAILED"],
    }
    return encode_statement((journal,), TEST_RESULT_PREDICATE, predicate)


def _step_result(step: StepView) -> str:
    findings = [found.finding for found in step.findings]
    if step.outcome is Outcome.FAIL or any(finding.verdict is Verdict.FAIL for finding in findings):
        return "FAILED"
    if step.outcome is Outcome.PASS and all(finding.severity is Severity.INFO for finding in findings):
        return "PASSED"
    return "WARNED"
