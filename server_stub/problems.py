"""Errors as RFC 9457 problems, for every way in which a request can fail."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from server_stub.pages.errors import error_page
from server_stub.settings import API

BASE = "https://hibertek.com/aiodiag/problems/"
MEDIA_TYPE = "application/problem+json"

TITLES: Mapping[str, tuple[int, str]] = {
    "bad-request": (400, "The request is not as the protocol says"),
    "unauthorised": (401, "A token that holds is needed"),
    "forbidden": (403, "This is not for you"),
    "not-enrolled": (403, "No key is enrolled for this unit"),
    "quarantined": (403, "Another key is enrolled for this unit"),
    "not-proven": (403, "The proof that the key is in a TPM is not believed"),
    "case-full": (403, "This case takes no more bundles"),
    "too-many-keys": (403, "Too many keys of this unit wait for a decision"),
    "unknown-case": (404, "There is no such case"),
    "not-found": (404, "There is nothing here"),
    "method-not-allowed": (405, "This cannot be done here"),
    "conflict": (409, "The request does not fit the state of things"),
    "unsupported-version": (412, "This version of tus is not spoken here"),
    "too-large": (413, "This is too large"),
    "unsupported-media-type": (415, "This media type is not taken here"),
    "bundle-rejected": (422, "The bundle was not accepted"),
    "too-many-requests": (429, "Too much was asked at once"),
    "checksum-mismatch": (460, "The checksum does not match"),
    "internal": (500, "Something went wrong here"),
    "no-room": (507, "The receiver's disk is full"),
}
"""Name -> status and title."""

_FRAMEWORK = {404: "not-found", 405: "method-not-allowed", 413: "too-large", 415: "unsupported-media-type"}


class Problem(Exception):
    """An error with a name of ``TITLES``, and one sentence for whoever called."""

    def __init__(
        self,
        name: str,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.name = name
        self.status, self.title = TITLES[name]
        self.detail = detail or self.title
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The problem as its caller gets it."""
        body = {
            "type": BASE + self.name,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        return JSONResponse(body, status_code=self.status, headers=self.headers, media_type=MEDIA_TYPE)


def unknown_case() -> Problem:
    """One answer for an RMA number that does not exist, and for one with another serial."""
    return Problem("unknown-case", "There is no case with this RMA number and serial.")


def install(app: FastAPI) -> None:
    """Make every error of ``app`` a problem under the API, and a page elsewhere. What is unexpected is logged by the
    server that runs the app.
    """

    @app.exception_handler(Problem)
    async def _problem(request: Request, error: Problem) -> Response:
        return answer(request, error)

    @app.exception_handler(HTTPException)
    async def _framework(request: Request, error: HTTPException) -> Response:
        name = _FRAMEWORK.get(error.status_code, "internal" if error.status_code >= 500 else "bad-request")
        return answer(request, Problem(name, headers=error.headers))

    @app.exception_handler(RequestValidationError)
    async def _validation(request: Request, error: RequestValidationError) -> Response:
        where = ", ".join(".".join(str(part) for part in e["loc"]) for e in error.errors()[:5])
        return answer(request, Problem("bad-request", f"Missing or malformed: {where[:200]}"))

    @app.exception_handler(Exception)
    async def _internal(request: Request, _error: Exception) -> Response:
        return answer(request, Problem("internal", "The receiver could not do this. Please try again later."))


def answer(request: Request, problem: Problem) -> Response:
    """``problem`` in the form that the caller reads: JSON for programs, a page for people."""
    if request.url.path.startswith(API):
        return problem.response()
    return error_page(request, HTTPStatus(problem.status), problem.headers)
