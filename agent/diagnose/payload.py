"""The bytes of a piece of evidence in the form in which a person can read them, and back, to the byte."""

from __future__ import annotations

import base64
import json
from typing import Any

from agent.model import Tree
from uploader import strict_json
from uploader.strict_json import Malformed, field

FORMS = ("tree", "json", "text", "base64")
_LINE = 76  # characters of base64, as in RFC 2045
_DEPTH = 30  # of brackets; deeper JSON is kept as text


def to_json(data: bytes) -> dict[str, Any]:
    """``{form: ...}`` with one of :data:`FORMS`, which gives exactly ``data`` again."""
    for form, found in (("tree", _as_tree(data)), ("json", _as_json(data)), ("text", _as_text(data))):
        if found is not None:
            return {form: found}
    encoded = base64.b64encode(data).decode()
    return {"base64": [encoded[i : i + _LINE] for i in range(0, len(encoded), _LINE)]}


def from_json(data: Any) -> bytes:
    """Inverse of :func:`to_json`, out of an object that holds more; raises :class:`Malformed` where there is none."""
    if "tree" in data:
        return _tree(field(data, "tree", dict)).encode()
    if "json" in data:
        return _dumped(data["json"])
    if "text" in data:
        return _joined(data["text"], "\n").encode("utf-8")
    try:
        return base64.b64decode(_joined(field(data, "base64", list), ""), validate=True)
    except ValueError as e:
        raise Malformed(f"no base64: {e}") from e


def _as_tree(data: bytes) -> dict[str, Any] | None:
    files = _loaded(data)
    if not isinstance(files, dict) or not all(path.startswith("/") for path in files):
        return None
    if not all(isinstance(value, str | dict) for value in files.values()) or Tree(files).encode() != data:
        return None
    return {path: _lines(value) if isinstance(value, str) else value for path, value in files.items()}


def _tree(files: dict[str, Any]) -> Tree:
    """The tree of what :func:`_as_tree` gave."""
    plain = {path: _joined(value, "\n") if isinstance(value, list) else value for path, value in files.items()}
    if not all(isinstance(value, str | dict) for value in plain.values()):
        raise Malformed("a file of a tree is neither text nor an object")
    return Tree(plain)


def _lines(text: str) -> str | list[str]:
    """A text of several lines as a list of them; the one line that most files of sysfs have, as it is."""
    lines = text.split("\n")
    return lines if len(lines) > 2 or (len(lines) == 2 and lines[1]) else text


def _as_json(data: bytes) -> Any:
    value = _loaded(data)
    return value if isinstance(value, dict | list) and _dumped(value) == data else None


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")


def _as_text(data: bytes) -> list[str] | None:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text.split("\n")


def _joined(lines: Any, by: str) -> str:
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise Malformed("a list of lines was expected")
    return by.join(lines)


def _loaded(data: bytes) -> Any:
    if data[:1] not in (b"{", b"["):
        return None
    try:
        return strict_json.loads(data, max_size=len(data), max_depth=_DEPTH)
    except Malformed:
        return None
