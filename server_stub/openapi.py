"""What the OpenAPI document says of the calls besides what their signatures tell: bodies, answers, problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server_stub.problems import MEDIA_TYPE, TITLES

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer"}
BASE64: Schema = {"type": "string", "format": "byte"}
TIME: Schema = {"type": "string", "format": "date-time"}
ANYTHING: Schema = {"type": "object"}


def members(**schemas: Schema) -> Schema:
    """An object with exactly these members."""
    return {"type": "object", "properties": schemas, "required": list(schemas), "additionalProperties": False}


def several(schema: Schema, **more: int) -> Schema:
    """A list of these."""
    return {"type": "array", "items": schema, **more}


def perhaps(schema: Schema) -> Schema:
    """This, or ``null``."""
    return {"anyOf": [schema, {"type": "null"}]}


ENVELOPE = members(
    payload=BASE64,
    payloadType=TEXT,
    signatures=several(members(keyid=TEXT, sig=BASE64), minItems=1, maxItems=1),
)
"""A DSSE envelope. It must be spelt as ``docs/protocol.md`` says besides."""


def _asks(schema: Schema) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def asks(**schemas: Schema) -> dict[str, Any]:
    """``openapi_extra`` of a route whose body has exactly these members: it is read byte by byte, so nothing else
    tells.
    """
    return _asks(members(**schemas))


ASKS_ENVELOPE = _asks(ENVELOPE)
"""The same of a route whose body is an envelope."""

PROBLEM = {
    "type": "object",
    "properties": {"type": {"type": "string", "format": "uri"}, "title": TEXT, "status": NUMBER, "detail": TEXT},
    "required": ["type", "title", "status", "detail"],
}


def answers(schema: Schema | None, *problems: str, media_type: str = "application/json") -> dict[str, Any]:
    """What a route is declared with that answers 200 with such a body, ``None`` for bytes, and these problems of
    ``TITLES`` itself. Any other, of whatever comes before a route (limits, a full disk), is the default.
    """
    body: dict[str, Any] = {} if schema is None else {"schema": schema}
    well = {"description": "Done", "content": {media_type: body}}
    return {"response_model": None, "responses": {200: well, **documented(*problems)}}


def documented(*problems: str) -> dict[int | str, dict[str, Any]]:
    """The problems alone."""
    told: dict[int | str, dict[str, Any]] = {}
    for name in problems:
        status, title = TITLES[name]
        known = told.get(status, {}).get("description")
        told[status] = _problem(f"{known}, or: {title} (`{name}`)" if known else f"{title} (`{name}`)")
    return {**told, "default": _problem("Any other problem (RFC 9457)")}


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {MEDIA_TYPE: {"schema": PROBLEM}}}
