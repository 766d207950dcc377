"""The receiver as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent import __version__
from server_stub import api, case_links, no_room, problems
from server_stub.audit.acting import ActingSender
from server_stub.limits.guard import Guard
from server_stub.pages import open as opened
from server_stub.pages import quick, staff, staff_sign_in
from server_stub.pages import routes as pages
from server_stub.pages.render import STATIC
from server_stub.receiver import Receiver
from server_stub.settings import API, Settings
from server_stub.staff import api as integrators
from server_stub.staff import guard, oidc
from server_stub.tpm import routes as tpm
from server_stub.uploads import headers as tus
from server_stub.uploads import routes as uploads

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def create_app(settings: Settings) -> FastAPI:
    """The application; it takes hold of the data directory when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.receiver = await run_in_threadpool(Receiver, settings)
        try:
            yield
        finally:
            await run_in_threadpool(app.state.receiver.close)

    app = FastAPI(
        title="aiodiag receiver",
        version=__version__,
        lifespan=lifespan,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.oidc = oidc.configured(settings)
    problems.install(app)
    guard.install(app)
    no_room.install(app)
    app.include_router(uploads.router)
    app.include_router(api.router)
    app.include_router(pages.router)
    app.include_router(quick.router)
    app.include_router(case_links.router)
    app.include_router(tpm.router)
    app.include_router(opened.router)
    app.include_router(staff_sign_in.router)
    app.include_router(staff.router)
    app.include_router(integrators.router)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_middleware(Guard)
    app.add_middleware(ActingSender)
    app.add_middleware(SafeHeaders)
    return app


class SafeHeaders:
    """What every answer says to the browser, and every answer about an upload to a tus client.

    Nothing here runs scripts, loads anything from elsewhere, may be framed, or may be guessed to be something else.
    Addresses hold claim codes: they are not told to other sites, and pages are not kept. To this site they are: with
    ``no-referrer`` a browser would send our own forms with ``Origin: null``, as it does those of strangers.
    """

    _EVERYWHERE = (
        ("Content-Security-Policy", _POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    )

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._EVERYWHERE:
                    headers[name] = value
                if not scope["path"].startswith("/static/"):
                    headers["Cache-Control"] = "no-store"
                if scope["path"].startswith(f"{API}/uploads"):
                    headers["Tus-Resumable"] = tus.VERSION
            await send(message)

        await self._app(scope, receive, send_safe)
