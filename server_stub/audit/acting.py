"""On whose behalf the code runs now. It goes along into threads that are started for a request (``contextvars``), so
that whatever is written down deep inside knows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

RECEIVER = "receiver"
"""By itself: it judges, and it makes good after a crash what it had begun."""
SENDER = "sender"
"""Whoever calls over the network and is not signed in. Who that is, nobody knows: a key signs, a case number does not.
No address is written: it would name a person, in a log from which nothing can be taken out again.
"""
OPERATOR = "operator"
"""Who runs ``aiodiag-server``; ``operator:NAME`` with the name of the system's account."""

_ACTOR: ContextVar[str] = ContextVar("actor", default=RECEIVER)


def actor() -> str:
    """Who acts now."""
    return _ACTOR.get()


@contextmanager
def acting(who: str) -> Iterator[None]:
    """Everything inside is done on behalf of ``who``."""
    token = _ACTOR.set(who)
    try:
        yield
    finally:
        _ACTOR.reset(token)


class ActingSender:
    """Every request is the sender's, until somebody inside knows better."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; the start and the end of the application are the receiver's own."""
        with acting(SENDER if scope["type"] == "http" else RECEIVER):
            await self._app(scope, receive, send)
