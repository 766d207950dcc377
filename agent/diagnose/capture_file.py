"""A capture as a text file, fit for review: ``NAME.capture.json``.

UTF-8 JSON with a fixed layout: the same capture always gives the same bytes, and a file that was written here gives
itself again. Evidence is byte for byte what was gathered, in the first of these forms that can hold it:

``tree``    files by path, as :class:`agent.model.Tree` has them; a file of several lines is a list of them
``json``    what Python's ``json.dumps`` made of an object
``text``    the lines of a UTF-8 text without NUL; the last one is empty where the text ends in a line feed
``base64``  anything else, in lines of 76 characters
"""

from __future__ import annotations

import json
from typing import Any

from agent.diagnose import payload
from agent.diagnose.capture import KEPT_OUTCOMES, Capture, CapturedStep
from agent.diagnose.strict import HEADER, optional_words, outcome, read_gap, read_header, texts
from agent.model import Evidence
from agent.runner.steps import RULES
from uploader import strict_json
from uploader.strict_json import Malformed, exactly, field

FORMAT = "aiodiag-capture"
FILE_SUFFIX = ".capture.json"
SCHEMA = 1
SIZE_CAP = 64 * 1024 * 1024
"""Bytes of a file; ours. One that is worth committing has a thousandth of it."""

_DEPTH = 40
_RUN = ("id", "started", "agent", "plan", "symptom")


def encode(capture: Capture) -> bytes:
    """The file. Raises ``ValueError`` for what no journal of ours has (half a surrogate pair in a name)."""
    document = {
        "format": FORMAT,
        "schema": SCHEMA,
        "description": capture.description,
        "run": {
            "id": capture.run_id,
            "started": capture.started,
            "agent": capture.agent,
            "plan": capture.plan,
            "symptom": capture.symptom,
        },
        "unit": {key: capture.unit[key] for key in sorted(capture.unit)},
        "needed": list(capture.needed),
        "steps": [_step_to_json(step) for step in capture.steps],
    }
    return (json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode("utf-8")


def decode(data: bytes) -> Capture:
    """Inverse of :func:`encode`; raises :class:`Malformed` and nothing else for anything that is no capture."""
    document = strict_json.loads(data, max_size=SIZE_CAP, max_depth=_DEPTH)
    if field(document, "format", str) != FORMAT or field(document, "schema", int) != SCHEMA:
        raise Malformed(f"no {FORMAT} of schema {SCHEMA}")
    exactly(document, ("format", "schema", "description", "run", "unit", "needed", "steps"))
    run, unit = field(document, "run", dict), field(document, "unit", dict)
    exactly(run, _RUN)
    steps = tuple(_step(step) for step in field(document, "steps", list))
    ids = {step.id for step in steps}
    if len(ids) != len(steps) or RULES in ids:
        raise Malformed("a step is doubled, or is that of the rules")
    return Capture(
        unit={key: field(unit, key, str) for key in unit},
        needed=tuple(texts(document, "needed")),
        steps=steps,
        description=field(document, "description", str),
        run_id=field(run, "id", str),
        agent=field(run, "agent", str),
        started=field(run, "started", str),
        plan=field(run, "plan", str),
        symptom=field(run, "symptom", str),
    )


def _step_to_json(step: CapturedStep) -> dict[str, Any]:
    became: dict[str, Any] = {}
    if step.outcome:
        became = {"outcome": step.outcome.value, "reason": step.reason.to_json() if step.reason else None}
    return {
        "step": step.id,
        **became,
        "gaps": [gap.to_json() for gap in step.gaps],
        "evidence": [{**evidence.header(), **payload.to_json(evidence.data)} for evidence in step.evidence],
    }


def _step(data: Any) -> CapturedStep:
    members = {"step", "gaps", "evidence"}
    became, reason = None, None
    if isinstance(data, dict) and "outcome" in data:
        members |= {"outcome", "reason"}
        became, reason = outcome(data, "outcome"), optional_words(data, "reason")
        if became not in KEPT_OUTCOMES:
            raise Malformed(f"{became.value} must follow from the evidence")
    exactly(data, members)
    return CapturedStep(
        id=field(data, "step", str),
        evidence=tuple(_evidence(item) for item in field(data, "evidence", list)),
        gaps=tuple(read_gap(gap) for gap in field(data, "gaps", list)),
        outcome=became,
        reason=reason,
    )


def _evidence(data: Any) -> Evidence:
    form = [name for name in payload.FORMS if isinstance(data, dict) and name in data]
    exactly(data, (*HEADER, *form[:1]))
    return Evidence.from_header(read_header(data), payload.from_json(data))
