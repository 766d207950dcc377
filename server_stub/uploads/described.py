"""What the OpenAPI document says of tus: headers are read from the request as it came, strictly, so nothing else tells.

Every route answers ``unsupported-version`` besides, but for OPTIONS.
"""

from __future__ import annotations

from typing import Any

from server_stub.openapi import documented
from server_stub.uploads import headers

_NUMBER = {"type": "string", "pattern": "^[0-9]{1,15}$"}


def _header(name: str, description: str, schema: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "description": description, "schema": schema}


_ID = {"name": "upload_id", "in": "path", "required": True, "schema": {"type": "string"}}
_VERSION = _header("Tus-Resumable", "The version that the client speaks", {"type": "string", "enum": [headers.VERSION]})
_LENGTH = _header("Upload-Length", "Bytes of the whole bundle", _NUMBER)
_METADATA = _header(
    "Upload-Metadata",
    "Pairs of a key and a value in base64: rma, serial, sha256 (64 lower-case hexadecimal digits), filename",
    {"type": "string", "maxLength": headers.METADATA_CAP},
)
_OFFSET = _header("Upload-Offset", "Where these bytes begin", _NUMBER)
_CHECKSUM = _header(
    "Upload-Checksum",
    "The digest of this part in base64",
    {"type": "string", "pattern": f"^{headers.CHECKSUM} [A-Za-z0-9+/]{{43}}=$"},
    required=False,
)
_METHOD = _header(
    "X-HTTP-Method-Override",
    "The method that is meant",
    {"type": "string", "enum": ["PATCH", "DELETE"]},
    required=False,
)
_PART = {"content": {headers.CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
_REFUSED_PART = (
    "bad-request",
    "not-found",
    "conflict",
    "unsupported-version",
    "too-large",
    "unsupported-media-type",
    "checksum-mismatch",
)


def _answers(*names: str) -> dict[str, Any]:
    return {name: {"schema": {"type": "string"}, "required": True} for name in names}


def _route(
    status: int, description: str, told: tuple[str, ...], problems: tuple[str, ...], asked: dict[str, Any]
) -> dict[str, Any]:
    responses: dict[int | str, dict[str, Any]] = documented(*problems)
    responses[status] = {"description": description, "headers": _answers("Tus-Resumable", *told)}
    return {"status_code": status, "responses": responses, "openapi_extra": asked}


OPTIONS = _route(204, "What is spoken", tuple(headers.OPTIONS), (), {})
OPTIONS_OF_UPLOAD = {**OPTIONS, "openapi_extra": {"parameters": [_ID]}}
CREATE = _route(
    201,
    "The upload, new or known",
    ("Location", "Upload-Offset"),
    (
        "bad-request",
        "not-enrolled",
        "case-full",
        "unknown-case",
        "conflict",
        "unsupported-version",
        "too-large",
        "too-many-requests",
        "no-room",
    ),
    {"parameters": [_VERSION, _LENGTH, _METADATA]},
)
OFFSET = _route(
    200,
    "How far it is",
    ("Upload-Offset", "Upload-Length"),
    ("not-found", "unsupported-version"),
    {"parameters": [_VERSION]},
)
APPEND = _route(
    204,
    "How far it is now",
    ("Upload-Offset",),
    _REFUSED_PART,
    {"parameters": [_VERSION, _OFFSET, _CHECKSUM], "requestBody": {**_PART, "required": True}},
)
TERMINATE = _route(204, "It is gone", (), ("not-found", "conflict", "unsupported-version"), {"parameters": [_VERSION]})
OVERRIDE = _route(
    204,
    "As of the method that is meant",
    (),
    (*_REFUSED_PART, "method-not-allowed"),
    {
        "parameters": [_VERSION, _METHOD, {**_OFFSET, "required": False}, _CHECKSUM],
        "requestBody": _PART,
    },
)
