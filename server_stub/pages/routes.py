"""The addresses of the pages."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response, StreamingResponse

from agent.model import Text
from agent.model.spoken_code import Mistyped
from agent.texts import render
from server_stub.case_links import visit_of
from server_stub.cases import find_by_claim, find_by_serial, timeline
from server_stub.clock import now
from server_stub.db import Bundle, Case, CaseStatus, Event
from server_stub.db.models import BundleState, KeyState
from server_stub.enrolment import key_of_unit
from server_stub.key_levels import level_of
from server_stub.pages.bundle_view import BundleView, view_bundle
from server_stub.pages.labels import EVENT, KEY_LEVEL, KEY_PROTECTION, KEY_REVOKED, MOVED, STATUS, VERDICT, WARRANTY
from server_stub.pages.language import language
from server_stub.pages.render import link, page
from server_stub.problems import Problem
from server_stub.receiver import Here, Receiver
from server_stub.spoken import Spoken
from server_stub.staff import browser
from server_stub.summary import MAX_RECORDS, UnreadableJournal
from server_stub.warranty import YEARS, cover
from uploader.bundle.verify import BundleRejected, VerifiedBundle, open_bundle
from uploader.keys import PublicKey

router = APIRouter(include_in_schema=False)

JOURNAL_PAGE = 200
"""Records on one page of the journal."""


@router.get("/")
def start(request: Request, here: Here, rma: str = "", serial: str = "", code: str = "") -> Response:
    """Where a case stands, for whoever has its number and the serial; and what digits say that somebody reads out."""
    asked = bool(rma or serial)
    try:
        spoken = Spoken.read(code, language(request)) if code else None
    except Mistyped:
        spoken = None
    with here.db.read() as session:
        case = find_by_serial(session, rma, serial) if asked else None
    return page(
        request,
        "start.html",
        status=404 if asked and case is None else 400 if code and spoken is None else 200,
        asked=asked,
        case=case,
        steps=steps_of(request, case) if case else [],
        rma=rma,
        serial=serial,
        code=code,
        spoken=spoken,
    )


@router.get("/cases/{rma}")
def case_page(rma: str, request: Request, here: Here, claim: str = "", bundle: str = "") -> Response:
    """The whole case, for whoever has the claim code; what the unit itself sent, for whoever opened its link."""
    with here.db.read() as session:
        case = find_by_claim(session, rma, claim)
        visit = None if claim else visit_of(session, rma, browser.cookie(request, here, browser.VISIT))
    if visit is not None:
        return page(request, "case.html", **case_context(request, here, visit.case, bundle, "", keyid=visit.keyid))
    if case is None:
        return page(request, "claim.html", status=404 if claim else 200, rma=rma, asked=bool(claim))
    return page(request, "case.html", **case_context(request, here, case, bundle, f"/cases/{case.rma}"))


def case_context(
    request: Request, here: Receiver, case: Case, bundle: str, base: str, *, keyid: str = ""
) -> dict[str, Any]:
    """What the page of a case shows: the accepted bundle with the id ``bundle``, the newest one for ``""``. Below
    ``base`` its content is found; ``""`` for a reader who is not to look at it. With ``keyid`` only accepted bundles
    that were sealed by this key, and nothing that a person told. Raises :class:`Problem` (``not-found``).
    """
    with here.db.read() as session:
        rows = [row for row in _bundles(session, case) if not keyid or _sealed_by(row, keyid)]
        events = timeline(session, case) if not keyid else []
    chosen = next((row for row in rows if row.bundle_id == bundle), None) if bundle else _latest(rows)
    if bundle and (chosen is None or chosen.state is not BundleState.ACCEPTED):
        raise Problem("not-found")
    lang = language(request)
    today = now().date()
    view, problem = _view(here, chosen, case, lang) if chosen else (None, "")
    return {
        "case": case,
        "whole": not keyid,
        "steps": steps_of(request, case),
        "covers": [(render(WARRANTY[name], lang), cover(name, case.unit.shipped, today)) for name in YEARS],
        "warranty": {name: render(text, lang) for name, text in WARRANTY.items()},
        "bundles": [(row, render(VERDICT[row.verdict], lang), link(request, bundle=row.bundle_id)) for row in rows],
        "events": [(event, _event_words(event, lang)) for event in events],
        "chosen": chosen,
        "view": view,
        "problem": problem,
        "key_words": _key_words(here, chosen, case, lang) if chosen else [],
        "base": f"{base}/bundles/{chosen.bundle_id}" if base and chosen else "",
        "link": lambda path, **query: link(request, path, **query),
    }


def _event_words(event: Event, lang: str) -> str:
    if event.kind != "case-moved":
        return render(EVENT[event.kind], lang)
    return render(Text(MOVED.template, {"step": render(STATUS[CaseStatus(event.details["step"])], lang)}), lang)


def _accepted(rma: str, bundle: str, here: Here, claim: str = "") -> tuple[Case, Bundle]:
    with here.db.read() as session:
        case = find_by_claim(session, rma, claim)
        if case is None:
            raise Problem("not-found")
        return accepted_of(session, case, bundle)


def accepted_of(session: Session, case: Case, bundle: str) -> tuple[Case, Bundle]:
    """The accepted bundle of a case with this id; raises :class:`Problem` (``not-found``)."""
    row = next((b for b in _bundles(session, case) if b.bundle_id == bundle), None)
    if row is None or row.state is not BundleState.ACCEPTED:
        raise Problem("not-found")
    return case, row


Accepted = Annotated[tuple[Case, Bundle], Depends(_accepted)]
"""A case and one of its accepted bundles, for whoever has the claim code."""


@router.get("/cases/{rma}/bundles/{bundle}/journal")
def journal(request: Request, here: Here, accepted: Accepted, page_number: int = 1) -> Response:
    """The journal as it was written, record by record."""
    return journal_page(request, here, accepted, page_number, f"/cases/{accepted[0].rma}")


def journal_page(
    request: Request, here: Receiver, accepted: tuple[Case, Bundle], page_number: int, back: str
) -> Response:
    """One page of a journal, with a way ``back``."""
    case, row = accepted
    number = min(max(1, page_number), MAX_RECORDS)
    first = (number - 1) * JOURNAL_PAGE
    with _opened(here, row) as opened:
        records = list(itertools.islice(opened.journal(), first, first + JOURNAL_PAGE + 1))
    path = request.url.path
    return page(
        request,
        "journal.html",
        case=case,
        records=[_record(record) for record in records[:JOURNAL_PAGE]],
        number=number,
        back=link(request, back, bundle=row.bundle_id),
        before=link(request, path, page_number=str(number - 1)) if number > 1 else "",
        after=link(request, path, page_number=str(number + 1)) if len(records) > JOURNAL_PAGE else "",
    )


@router.get("/cases/{rma}/bundles/{bundle}/file")
def whole(here: Here, accepted: Accepted) -> Response:
    """The bundle itself, to be verified by whoever does not believe this receiver."""
    _, row = accepted
    return stored(here, row, f"{row.bundle_id}.aiodiag.zip")


def stored(here: Receiver, row: Bundle, name: str) -> Response:
    """The bytes that came, to be kept as ``name``."""

    def content() -> Iterator[bytes]:
        with here.blobs.local(row.sha256) as path, path.open("rb") as file:
            while piece := file.read(1 << 20):
                yield piece

    headers = {**_attachment(name), "Content-Length": str(row.size)}
    return StreamingResponse(content(), media_type="application/zip", headers=headers)


@router.get("/cases/{rma}/bundles/{bundle}/entries/{name:path}")
def entry(name: str, here: Here, accepted: Accepted, download: bool = False) -> Response:
    """One signed entry: as plain text to look at, or as it is stored."""
    _, row = accepted
    with _opened(here, row) as opened:
        if name not in opened.names:
            raise Problem("not-found")
        if not download:
            try:
                text = opened.read_attachment(name)
            except BundleRejected as error:
                raise Problem("too-large") from error
            return Response(text, media_type="text/plain; charset=utf-8", headers={"Content-Disposition": "inline"})

    def content() -> Iterator[bytes]:
        with _opened(here, row) as opened:
            yield from opened.chunks(name)

    headers = _attachment(name.rpartition("/")[2])
    return StreamingResponse(content(), media_type="application/octet-stream", headers=headers)


def _bundles(session: Session, case: Case) -> list[Bundle]:
    """The newest first; accepted ones before others of the same name."""
    rows = session.scalars(select(Bundle).where(Bundle.case_id == case.id).order_by(Bundle.id.desc())).all()
    return sorted(rows, key=lambda row: row.state is not BundleState.ACCEPTED)


def _sealed_by(row: Bundle, keyid: str) -> bool:
    return row.state is BundleState.ACCEPTED and row.statement["key"]["keyid"] == keyid


def _latest(rows: list[Bundle]) -> Bundle | None:
    return next((row for row in rows if row.state is BundleState.ACCEPTED), None)


@contextmanager
def _opened(here: Receiver, row: Bundle) -> Iterator[VerifiedBundle]:
    """The bundle, verified again with the key that it was accepted with."""
    key = PublicKey.from_json(row.statement["key"])
    with here.blobs.local(row.sha256) as path, open_bundle(path, key=key) as opened:
        yield opened


def _view(here: Receiver, row: Bundle, case: Case, lang: str) -> tuple[BundleView | None, str]:
    try:
        with _opened(here, row) as opened:
            return view_bundle(opened, lang, case.unit.shipped, now().date()), ""
    except (BundleRejected, UnreadableJournal, FileNotFoundError) as error:
        return None, str(error)


def _key_words(here: Receiver, row: Bundle, case: Case, lang: str) -> list[str]:
    """How the key that sealed a bundle is kept, and what is known of it by now."""
    words = [KEY_PROTECTION[row.statement["key_protection"]]]
    with here.db.read() as session:
        key = key_of_unit(session, case.unit_id, row.statement["key"]["keyid"])
        if key is not None:
            words += [KEY_LEVEL[level_of(session, key).value]]
            words += [KEY_REVOKED] if key.state is KeyState.REVOKED else []
    return [render(word, lang) for word in words]


def steps_of(request: Request, case: Case) -> list[tuple[str, str]]:
    """The seven steps as (``done``, ``now`` or ``next``; label)."""
    lang = language(request)
    order = list(CaseStatus)
    at = order.index(case.status)
    return [
        ("done" if i < at else "now" if i == at else "next", render(STATUS[status], lang))
        for i, status in enumerate(order)
    ]


def _record(record: dict[str, Any]) -> tuple[object, object, str, str]:
    kinds = [k for k in record if k not in {"sequenceNumber", "timestamp"}]
    body = record[kinds[0]] if kinds else {}
    inner = [k for k in body if k != "testStepId"] if isinstance(body, dict) else []
    return (
        record.get("sequenceNumber", ""),
        record.get("timestamp", ""),
        inner[0] if inner else " ".join(kinds),
        json.dumps(body, ensure_ascii=False, indent=1),
    )


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
