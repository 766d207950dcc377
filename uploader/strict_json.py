"""JSON from strangers, read strictly: one meaning per text, or :class:`Malformed`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, TypeVar

T = TypeVar("T")

# The closing quote is optional and the repeat possessive, so that the scan stays linear in whatever it is given.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)


class Malformed(ValueError):
    """What was read is not what it should be; the message says how, for an engineer."""


def loads(data: bytes, *, max_size: int, max_depth: int) -> Any:
    """Parse UTF-8 JSON of at most ``max_size`` bytes and ``max_depth`` nested brackets.

    Refused besides: doubled keys, NaN and infinities, lone surrogates; each of them means different things to different
    parsers. Raises :class:`Malformed` and nothing else.
    """
    if len(data) > max_size:
        raise Malformed(f"{len(data)} bytes are more than {max_size}")
    try:
        text = data.decode("utf-8")
        _check_depth(text, max_depth)
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
        canonical(value)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON: {error}") from error
    return value


def canonical(value: Any) -> bytes:
    """The one compact form in which we write JSON; raises ``ValueError`` for what strict JSON cannot say."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def field(data: Any, name: str, kind: type[T]) -> T:
    """The member ``name`` of an object, of exactly the type ``kind``.

    Raises :class:`Malformed` when ``data`` is no object, or the member is missing or of another type.
    """
    if not isinstance(data, dict):
        raise Malformed(f"an object with {name!r} was expected")
    if name not in data:
        raise Malformed(f"{name!r} is missing")
    value = data[name]
    if type(value) is not kind:
        raise Malformed(f"{name!r} is not of type {kind.__name__}")
    return value


def number(data: Any, name: str) -> float:
    """Like :func:`field` for a number, written as an integer or not."""
    value = data.get(name) if isinstance(data, dict) else None
    if type(value) is float:
        return value
    if type(value) is int and abs(value) < 1 << 53:
        return float(value)
    raise Malformed(f"{name!r} is no number")


def optional_text(data: Any, name: str) -> str | None:
    """Like :func:`field` for a string that may be ``null``."""
    if isinstance(data, dict) and name in data and data[name] is None:
        return None
    return field(data, name, str)


def optional(data: Any, name: str, kind: type[T]) -> T | None:
    """Like :func:`field` for a member that may be ``null`` or missing."""
    if isinstance(data, dict) and data.get(name) is None:
        return None
    return field(data, name, kind)


def exactly(data: Any, names: Iterable[str]) -> None:
    """Raises :class:`Malformed` unless ``data`` is an object of exactly these members."""
    if not isinstance(data, dict) or set(data) != set(names):
        raise Malformed(f"an object of exactly {sorted(names)} was expected")


def _check_depth(text: str, max_depth: int) -> None:
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        token = match.group()[0]
        depth += (token in "[{") - (token in "]}")
        if depth > max_depth:
            raise Malformed(f"nested deeper than {max_depth}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("a key is doubled")
    return found


def _constant(name: str) -> Any:
    raise Malformed(f"{name} is no JSON")
