"""What the helper prints: one JSON object for each area, one per line. Written by root, read by the person's agent."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent.model import Evidence, Gap

PIECE_CAP = 1 << 20
"""Bytes of one piece of evidence; ours. The longest, a kernel log of 10 000 lines, is about as long."""
TOTAL_CAP = 7 << 20
"""Bytes printed in all; ours. ``agent.tools`` takes 8 MiB of a program, and ends one that prints more."""

Seen = Evidence | Gap


def line(area: str, items: Iterable[Seen]) -> bytes:
    """``{"area", "items": [{"evidence", "data"} or {"gap"}]}`` and a line feed; evidence that is longer than
    :data:`PIECE_CAP` is cut, and says so.
    """
    return json.dumps({"area": area, "items": [_to_json(item) for item in items]}).encode() + b"\n"


def answers(printed: bytes) -> dict[str, tuple[Seen, ...]]:
    """What was printed, by area. Never raises: a line that is cut off or not of ours is passed over."""
    found: dict[str, tuple[Seen, ...]] = {}
    for whole in printed.split(b"\n")[:-1]:
        try:
            document = json.loads(whole)
            found[str(document["area"])] = _seen(document["items"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return found


def _seen(items: Sequence[Mapping[str, Any]]) -> tuple[Seen, ...]:
    return tuple(
        Gap.from_json(item["gap"])
        if "gap" in item
        else Evidence.from_header(item["evidence"], base64.b64decode(item["data"], validate=True))
        for item in items
    )


def _to_json(item: Seen) -> dict[str, Any]:
    if isinstance(item, Gap):
        return {"gap": item.to_json()}
    if len(item.data) > PIECE_CAP:
        item = replace(item, data=item.data[:PIECE_CAP], truncated=True)
    return {"evidence": item.header(), "data": base64.b64encode(item.data).decode()}
