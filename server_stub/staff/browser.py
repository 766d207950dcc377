"""What a staff page takes from a browser and gives to it: cookies, and forms that came from our own pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request
from starlette.responses import Response

from server_stub.body import small_body
from server_stub.problems import Problem
from server_stub.receiver import Receiver
from server_stub.staff.secret_words import is_form_word

SESSION = "aiodiag-staff"
"""The cookie of somebody who is signed in."""

VISITOR = "aiodiag-visitor"
"""The cookie of somebody who is about to sign in: ties the form, and the identity provider's answer, to a browser."""

VISIT = "aiodiag-visit"
"""The cookie of somebody who opened the link that a unit gave them."""

HOME = "/staff/cases"
_TARGET = re.compile(r"/staff/cases(/[A-Za-z0-9-]{1,40})?")


def cookie(request: Request, here: Receiver, name: str) -> str:
    """The word in a cookie of ours, or ``""``."""
    return request.cookies.get(_full(name, _https(request, here)), "")


def give(request: Request, here: Receiver, response: Response, name: str, word: str) -> None:
    """Set a cookie that no script reads, that no other site's form sends along, and that ends with the browser; over
    https only, and for this host alone (the prefix ``__Host-``), where the receiver is reached by https. With the word
    ``""`` it is taken back.
    """
    https = _https(request, here)
    full = _full(name, https)
    if word:
        response.set_cookie(full, word, secure=https, httponly=True, samesite="lax", path="/")
    else:
        response.delete_cookie(full, secure=https, httponly=True, samesite="lax", path="/")


def target(asked: str) -> str:
    """Where to go after signing in: a staff page of ours that takes no query; for anything else the list of cases. An
    address that is not spelt like one of these would be a way to send staff elsewhere in our name.
    """
    return asked if _TARGET.fullmatch(asked) else HOME


async def form(request: Request, here: Receiver, word: str) -> Mapping[str, str]:
    """The fields of a form that was sent from a page of ours to the browser whose cookie is ``word``.

    Raises :class:`Problem`: ``forbidden`` when the browser says that it came from elsewhere, or its page was not made
    for this browser; ``unsupported-media-type``, ``too-large`` and ``bad-request`` as their names say.
    """
    _same_site(request, here)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise Problem("unsupported-media-type")
    body = await small_body(request)
    try:
        fields = dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=20))
    except ValueError as error:
        raise Problem("bad-request") from error
    if not is_form_word(fields.get("form", ""), word):
        raise Problem("forbidden", "This form is not from a page that was made for this browser.")
    return fields


def _same_site(request: Request, here: Receiver) -> None:
    """What browsers say by themselves of a request's origin, and no page can change (Fetch Metadata; Origin)."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    ours = {_origin(here.public_base(request)), _origin(str(request.base_url))}
    if site != "same-origin" or (origin is not None and _origin(origin) not in ours):
        raise Problem("forbidden", "This form was sent from another site.")


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme.lower(), parts.netloc.lower()


def _https(request: Request, here: Receiver) -> bool:
    return urlsplit(here.public_base(request)).scheme == "https"


def _full(name: str, https: bool) -> str:
    return f"__Host-{name}" if https else name
