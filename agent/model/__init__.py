"""The words of the product as types. Pure: nothing in this package does any I/O.

``docs/architecture.md`` lists the words; every type here round-trips through JSON.
"""

from agent.model.component import Component, ComponentKind
from agent.model.evidence import Evidence, Tree
from agent.model.finding import Finding
from agent.model.gap import Gap
from agent.model.heartbeat import Heartbeat
from agent.model.outcome import Outcome, RunVerdict, Severity, Verdict
from agent.model.reading import UNITS, Reading, Readings, Value
from agent.model.text import Text

__all__ = [
    "UNITS",
    "Component",
    "ComponentKind",
    "Evidence",
    "Finding",
    "Gap",
    "Heartbeat",
    "Outcome",
    "Reading",
    "Readings",
    "RunVerdict",
    "Severity",
    "Text",
    "Tree",
    "Value",
    "Verdict",
]
