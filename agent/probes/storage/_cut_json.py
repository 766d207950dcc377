"""JSON that was cut off, or whose text was damaged on its way: the members that are whole."""

from __future__ import annotations

import json
import re
from typing import Any

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],"]', re.DOTALL)
_CLOSED_BY = {"{": "}", "[": "]"}
_DEPTH_CAP = 100


def loads(data: bytes) -> tuple[Any, bool]:
    """What is in ``data`` and whether that is all of it. Bytes that are no UTF-8 are replaced; of a text that ends too
    early the part before its last comma or bracket counts. ``(None, False)`` where nothing can be made of it.
    """
    try:
        return json.loads(data), True
    except (ValueError, RecursionError):
        text = data.decode("utf-8-sig", "replace")
    for part, whole in ((text, True), (_closed(text), False)):
        try:
            return json.loads(part, strict=False), whole
        except (ValueError, RecursionError):
            continue
    return None, False


def _closed(text: str) -> str:
    """The longest beginning that ends with a whole value, with the brackets closed that are open there; ``""`` where
    there is none.
    """
    open_brackets: list[str] = []
    end, closing = 0, ""
    for token in _TOKEN.finditer(text):
        if token[0] in _CLOSED_BY:
            open_brackets.append(_CLOSED_BY[token[0]])
            if len(open_brackets) > _DEPTH_CAP:
                return ""
        elif token[0] in ("}", "]"):
            if not open_brackets or open_brackets.pop() != token[0]:
                break
            end, closing = token.end(), "".join(reversed(open_brackets))
        elif token[0] == ",":
            end, closing = token.start(), "".join(reversed(open_brackets))
        elif token[0] == '"':  # a string without an end
            break
    return text[:end] + closing
