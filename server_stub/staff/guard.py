"""The one door of every staff page, and the one of every call of a program with a token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.responses import RedirectResponse, Response

from server_stub.db.accounts import Account, ApiToken
from server_stub.problems import Problem
from server_stub.receiver import Here
from server_stub.staff import browser, sessions, tokens
from server_stub.staff.roles import Action, Scope, may
from server_stub.staff.secret_words import form_word

SIGN_IN = "/staff/sign-in"


class SignInNeeded(Exception):
    """Nobody is signed in; ``path`` is where they wanted to go."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody who is signed in, and may do what the route does. ``form`` is for the forms of their pages; ``fields``
    are those of the form that they sent, and were checked to come from one of these.
    """

    account: Account
    form: str
    fields: Mapping[str, str]

    def may(self, action: Action) -> bool:
        """Whether they may do something else besides, so that a page shows no button that leads nowhere."""
        return may(self.account.role, action)


@dataclass(frozen=True, slots=True)
class Guard:
    """Lets a request through when somebody is signed in whose role may do ``action``; one that changes something only
    from a form of ours.
    """

    action: Action

    async def __call__(self, request: Request, here: Here) -> Staff:
        """Raises :class:`SignInNeeded`, or :class:`Problem` (``forbidden`` and what ``browser.form`` raises)."""
        word = browser.cookie(request, here, browser.SESSION)
        account = await run_in_threadpool(sessions.find, here.db, word)
        if account is None:
            if request.method in {"GET", "HEAD"}:
                raise SignInNeeded(request.url.path)
            raise Problem("forbidden", "Nobody is signed in.")
        if not may(account.role, self.action):
            raise Problem("forbidden", "Your role may not do this.")
        fields = {} if request.method in {"GET", "HEAD"} else await browser.form(request, here, word)
        return Staff(account, form_word(word), fields)


_BEARER = HTTPBearer(auto_error=False, scheme_name="token", description="`aiodiag-server token add` makes one")
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
"""What the request's ``Authorization`` says, where that is ``Bearer``."""


@dataclass(frozen=True, slots=True)
class TokenGuard:
    """Lets a program through whose token has ``scope``."""

    scope: Scope

    def __call__(self, here: Here, bearer: Bearer) -> ApiToken:
        """Raises :class:`Problem`: ``unauthorised`` without a token that holds, ``forbidden`` without the scope."""
        token = tokens.find(here.db, bearer.credentials.strip()) if bearer is not None else None
        if token is None:
            raise Problem("unauthorised", headers={"WWW-Authenticate": 'Bearer realm="aiodiag"'})
        if self.scope not in token.scopes.split():
            challenge = f'Bearer realm="aiodiag", error="insufficient_scope", scope="{self.scope}"'
            raise Problem(
                "forbidden", f"This token lacks the scope {self.scope}.", headers={"WWW-Authenticate": challenge}
            )
        return token


SeesCases = Annotated[Staff, Depends(Guard(Action.SEE_CASES))]
SeesEvidence = Annotated[Staff, Depends(Guard(Action.SEE_EVIDENCE))]
DecidesKeys = Annotated[Staff, Depends(Guard(Action.DECIDE_KEYS))]
MovesCases = Annotated[Staff, Depends(Guard(Action.MOVE_CASES))]
SignsOut = Annotated[Staff, Depends(Guard(Action.SIGN_OUT))]
ReadsCases = Annotated[ApiToken, Depends(TokenGuard(Scope.CASES_READ))]
MovesByToken = Annotated[ApiToken, Depends(TokenGuard(Scope.CASES_MOVE))]
ReadsBundles = Annotated[ApiToken, Depends(TokenGuard(Scope.BUNDLES_READ))]


def install(app: FastAPI) -> None:
    """Send whoever is not signed in to the sign-in, and from there back."""

    @app.exception_handler(SignInNeeded)
    async def _sign_in(request: Request, error: SignInNeeded) -> Response:
        query = {"next": browser.target(error.path)}
        if "lang" in request.query_params:
            query["lang"] = request.query_params["lang"]
        return RedirectResponse(f"{SIGN_IN}?{urlencode(query, errors='replace')}", status_code=303)
