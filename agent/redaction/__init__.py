"""What in the record of a run names a person, a home or a network, and the pseudonyms that stand for it.

Pure, but for :mod:`agent.redaction.facts`, which asks this device what its own names are.
"""

from agent.redaction.facts import gather
from agent.redaction.image import NoImage, without_metadata
from agent.redaction.known import Known
from agent.redaction.learning import learn
from agent.redaction.pseudonyms import Kind, Pseudonyms, Replaced
from agent.redaction.record import Unfit, redact_record, serials
from agent.redaction.redactor import Reading, Redactor, unescaped

RULES = 1
"""The version of what is replaced and how; in the manifest of a bundle. It grows when the rules change."""

__all__ = [
    "RULES",
    "Kind",
    "Known",
    "NoImage",
    "Pseudonyms",
    "Reading",
    "Redactor",
    "Replaced",
    "Unfit",
    "gather",
    "learn",
    "redact_record",
    "serials",
    "unescaped",
    "without_metadata",
]
