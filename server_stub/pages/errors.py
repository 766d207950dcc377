"""Errors as pages."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import Request
from starlette.responses import Response

from server_stub.pages.render import page


def error_page(request: Request, status: HTTPStatus, headers: Mapping[str, str]) -> Response:
    """One page for all of them; it says no more than its status does."""
    response = page(request, "error.html", status=status.value, missing=status is HTTPStatus.NOT_FOUND)
    response.headers.update(headers)
    return response
