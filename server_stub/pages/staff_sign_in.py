"""The way in for staff: with a password, or through the identity provider; and the way out."""

from __future__ import annotations

import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from server_stub.db.accounts import Account
from server_stub.limits.address import address_of
from server_stub.pages.render import link, page
from server_stub.problems import Problem
from server_stub.receiver import Here, Receiver
from server_stub.staff import accounts, browser, sessions
from server_stub.staff.guard import SIGN_IN, SignsOut
from server_stub.staff.oidc import Provider, Refused, Unreachable
from server_stub.staff.secret_words import form_word, new_word
from server_stub.staff.sign_in import TooManyAttempts, authenticate

log = logging.getLogger(__name__)

router = APIRouter(include_in_schema=False)

_DONE = f"{SIGN_IN}/oidc/done"


def _provider(request: Request) -> Provider | None:
    provider: Provider | None = request.app.state.oidc
    return provider


Oidc = Annotated[Provider | None, Depends(_provider)]
"""The identity provider, where one is configured."""


@router.get(SIGN_IN)
def sign_in_page(request: Request, here: Here, provider: Oidc, next: str = "") -> Response:
    """A form for this browser alone."""
    return _form(request, here, provider, next)


@router.post(SIGN_IN)
async def sign_in(request: Request, here: Here, provider: Oidc) -> Response:
    """One answer for a name that does not exist, a wrong password and a disabled account."""
    fields = await browser.form(request, here, browser.cookie(request, here, browser.VISITOR))
    return await run_in_threadpool(_sign_in, request, here, provider, dict(fields))


def _sign_in(request: Request, here: Receiver, provider: Provider | None, fields: dict[str, str]) -> Response:
    target = browser.target(fields.get("next", ""))
    address = address_of(request.scope)
    try:
        account = authenticate(here.db, fields.get("name", ""), fields.get("password", ""), address)
    except TooManyAttempts as slow:
        response = _form(request, here, provider, target, status=429, wait_s=slow.wait_s)
        response.headers["Retry-After"] = str(slow.wait_s)
        return response
    if account is None:
        return _form(request, here, provider, target, status=403, refused=True)
    return _let_in(request, here, account, target)


@router.get(f"{SIGN_IN}/oidc")
def oidc(request: Request, here: Here, provider: Oidc, next: str = "") -> Response:
    """To the identity provider."""
    if provider is None:
        raise Problem("not-found")
    try:
        begun = provider.begin(here.db, browser.target(next), here.public_base(request) + _DONE)
    except Unreachable as error:
        log.warning("identity provider: %s", error)
        return _form(request, here, provider, next, status=503, unreachable=True)
    response = RedirectResponse(begun.url, status_code=303)
    browser.give(request, here, response, browser.VISITOR, begun.browser)
    return response


@router.get(_DONE)
def oidc_done(request: Request, here: Here, provider: Oidc) -> Response:
    """Back from the identity provider."""
    if provider is None:
        raise Problem("not-found")
    word = browser.cookie(request, here, browser.VISITOR)
    redirect_uri = here.public_base(request) + _DONE
    try:
        account, target = provider.finish(here.db, request.query_params, word, redirect_uri)
    except Unreachable as error:
        log.warning("identity provider: %s", error)
        return _form(request, here, provider, "", status=503, unreachable=True)
    except Refused as error:
        log.warning("sign-in through the identity provider: %s", error)
        return _form(request, here, provider, "", status=403, refused=True)
    return _let_in(request, here, account, target)


@router.post("/staff/sign-out")
def sign_out(request: Request, here: Here, _: SignsOut) -> Response:
    """The session ends here, not in the browser alone."""
    with here.db.write() as session:
        sessions.end(session, browser.cookie(request, here, browser.SESSION))
    response = RedirectResponse(SIGN_IN, status_code=303)
    browser.give(request, here, response, browser.SESSION, "")
    return response


def _let_in(request: Request, here: Receiver, account: Account, target: str) -> Response:
    before = browser.cookie(request, here, browser.SESSION)
    with here.db.write() as session:
        word = sessions.begin(session, _fresh(session, account), before)
    response = RedirectResponse(link(request, target), status_code=303)
    browser.give(request, here, response, browser.SESSION, word)
    browser.give(request, here, response, browser.VISITOR, "")
    return response


def _fresh(session: Session, account: Account) -> Account:
    return session.get_one(Account, account.id)


def _form(
    request: Request,
    here: Receiver,
    provider: Provider | None,
    target: str,
    *,
    status: int = 200,
    refused: bool = False,
    unreachable: bool = False,
    wait_s: int = 0,
) -> Response:
    word = browser.cookie(request, here, browser.VISITOR) or new_word()
    with here.db.read() as session:
        nobody = accounts.count(session) == 0
    response = page(
        request,
        "staff_sign_in.html",
        status=status,
        form=form_word(word),
        next=browser.target(target),
        oidc=provider is not None,
        refused=refused,
        unreachable=unreachable,
        wait_s=wait_s,
        nobody=nobody and provider is None,
    )
    browser.give(request, here, response, browser.VISITOR, word)
    return response
