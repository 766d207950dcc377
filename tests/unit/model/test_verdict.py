"""The verdict over a run, case by case."""

from __future__ import annotations

import itertools

import pytest

from agent.model import ComponentKind, Finding, Outcome, RunVerdict, Severity, Verdict
from agent.model.verdict import exit_status, judge


def finding(verdict: Verdict) -> Finding:
    return Finding("DISK-1117", ComponentKind.STORAGE_DEVICE, "sda", Severity.CRITICAL, verdict, 0.5)


OUTCOMES = (*Outcome, None)
"""``None``: the step is still open."""


@pytest.mark.parametrize(("needed", "other"), list(itertools.product(OUTCOMES, OUTCOMES)))
@pytest.mark.parametrize("found", [None, *Verdict])
def test_the_worst_of_what_was_needed(needed, other, found):
    """One needed step, one that is not needed, and a finding: every combination."""
    verdict = judge(["needed"], {"needed": needed, "other": other}, [finding(found)] if found else [])
    if found is Verdict.FAIL or Outcome.FAIL in (needed, other):
        assert verdict is RunVerdict.FAIL
    elif needed is Outcome.PASS:
        assert verdict is RunVerdict.PASS
    else:
        assert verdict is RunVerdict.INCOMPLETE


def test_nothing_needed_or_a_needed_step_missing_is_no_pass():
    assert judge([], {"storage": Outcome.PASS}, []) is RunVerdict.INCOMPLETE
    assert judge(["storage", "cpu"], {"storage": Outcome.PASS}, []) is RunVerdict.INCOMPLETE
    assert judge(["storage", "cpu"], {"storage": Outcome.PASS, "cpu": Outcome.PASS}, []) is RunVerdict.PASS


def test_exit_status():
    assert {verdict: exit_status(verdict) for verdict in RunVerdict} == {
        RunVerdict.PASS: 0,
        RunVerdict.FAIL: 1,
        RunVerdict.INCOMPLETE: 3,
    }
