"""What can come of a step, a finding and a whole run."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What came of one step."""

    PASS = "pass"
    FAIL = "fail"
    UNSUPPORTED = "unsupported"
    """No such hardware, sensor or right: nothing was learnt. Never a pass."""
    SKIPPED = "skipped"
    """A person or a plan said so."""
    ERROR = "error"
    """The tool broke, or the device did not answer. Says nothing about the hardware by itself."""
    INTERRUPTED = "interrupted"
    """The unit went down during the step."""


class Verdict(StrEnum):
    """What a finding says of its component."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How much a finding matters to the person."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class RunVerdict(StrEnum):
    """What a whole run says of the unit."""

    PASS = "pass"
    FAIL = "fail"
    INCOMPLETE = "incomplete"
