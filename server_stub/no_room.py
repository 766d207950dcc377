"""A full disk is nobody's mistake: the client is told to come again, and the operator finds it by its name."""

from __future__ import annotations

import errno

from fastapi import FastAPI, Request
from sqlalchemy.exc import OperationalError
from starlette.responses import Response

from server_stub.problems import Problem, answer

_FULL = {errno.ENOSPC, errno.EDQUOT}
_SQLITE_FULL = "SQLITE_FULL"
_POSTGRESQL_FULL = "53100"
"""``disk_full``. Source: PostgreSQL documentation, appendix A."""


def install(app: FastAPI) -> None:
    """Answer with the problem ``no-room`` where the disk of the files or of the database is full."""

    @app.exception_handler(OSError)
    async def _files(request: Request, error: OSError) -> Response:
        if error.errno not in _FULL:
            raise error
        return answer(request, _problem())

    @app.exception_handler(OperationalError)
    async def _database(request: Request, error: OperationalError) -> Response:
        name, state = getattr(error.orig, "sqlite_errorname", ""), getattr(error.orig, "sqlstate", "")
        if name != _SQLITE_FULL and state != _POSTGRESQL_FULL:
            raise error
        return answer(request, _problem())


def _problem() -> Problem:
    return Problem("no-room", "The receiver has no room for this now. Nothing of this part was kept; come again later.")
