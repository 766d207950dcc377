"""The link that a unit gave its owner."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from server_stub import case_links
from server_stub.pages.render import link, page
from server_stub.receiver import Here, Receiver
from server_stub.staff import browser
from server_stub.staff.secret_words import form_word, new_word

router = APIRouter(include_in_schema=False)


@router.get("/open/{word}")
def ask(word: str, request: Request, here: Here) -> Response:  # noqa: ARG001 - opened by the form alone
    """A button. Programs that look at links ahead of people (mail filters, messengers) must not use it up."""
    visitor = browser.cookie(request, here, browser.VISITOR) or new_word()
    response = page(request, "open.html", form=form_word(visitor), used=False)
    browser.give(request, here, response, browser.VISITOR, visitor)
    return response


@router.post("/open/{word}")
async def open_it(word: str, request: Request, here: Here) -> Response:
    """To the case, for this browser and for a while."""
    await browser.form(request, here, browser.cookie(request, here, browser.VISITOR))
    return await run_in_threadpool(_open, word, request, here)


def _open(word: str, request: Request, here: Receiver) -> Response:
    with here.db.write() as session:
        opened = case_links.open_link(session, word)
    if opened is None:
        return page(request, "open.html", status=404, form="", used=True)
    case, visit = opened
    response = RedirectResponse(link(request, f"/cases/{case.rma}"), status_code=303)
    browser.give(request, here, response, browser.VISIT, visit)
    return response
