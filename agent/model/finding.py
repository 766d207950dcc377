"""What a rule concluded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.model.component import ComponentKind
from agent.model.outcome import Severity, Verdict
from agent.model.reading import Reading


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault code for one component (an OCP diagnosis).

    ``code`` is an entry of the catalogue, which holds the texts; ``values`` fill the ``{named}`` fields of its message.
    ``confidence`` (0 to 1) is the chance that the component really has the fault; the rule states where it is from.
    ``evidence`` are the readings that led here: each is a record of the journal.
    """

    code: str
    component: ComponentKind
    subject: str
    severity: Severity
    verdict: Verdict
    confidence: float
    values: Mapping[str, str | int | float] = field(default_factory=dict)
    evidence: tuple[Reading, ...] = ()

    def __post_init__(self) -> None:
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"confidence {self.confidence} of {self.code} is outside 0..1")

    def to_json(self) -> dict[str, Any]:
        """A flat object; evidence as readings."""
        return {
            "code": self.code,
            "component": self.component.value,
            "subject": self.subject,
            "severity": self.severity.value,
            "verdict": self.verdict.value,
            "confidence": self.confidence,
            "values": dict(self.values),
            "evidence": [r.to_json() for r in self.evidence],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Finding:
        """Inverse of :meth:`to_json`; raises ``KeyError`` or ``ValueError`` when it is not a finding."""
        return cls(
            code=str(data["code"]),
            component=ComponentKind(data["component"]),
            subject=str(data["subject"]),
            severity=Severity(data["severity"]),
            verdict=Verdict(data["verdict"]),
            confidence=float(data["confidence"]),
            values=dict(data["values"]),
            evidence=tuple(Reading.from_json(r) for r in data["evidence"]),
        )
