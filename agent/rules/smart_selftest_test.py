"""What the drives' own self-test says of them."""

from __future__ import annotations

from collections.abc import Iterator

from agent.model import Finding, Readings, Verdict
from agent.rules import rule
from agent.rules._storage import finding


@rule("DISK-1546")
def failed(readings: Readings) -> Iterator[Finding]:
    """The drive tested itself just now, because it was told to, and failed. A test that passed is never a finding of
    health: it looks at a part of the medium only.

    Confidence 0.9 (ours), as for a failure in its log: no cable and no memory of ours is in between.
    """
    for passed in readings.all("smart_selftest_test.passed"):
        if passed.value is False:
            status = readings.get("smart_selftest_test.status", passed.subject)
            yield finding("DISK-1546", Verdict.FAIL, 0.9, passed, *([status] if status else []))
