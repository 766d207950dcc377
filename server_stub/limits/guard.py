"""Every request is counted before it reaches a route, and once more when its answer says what it was."""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server_stub.limits.address import address_of
from server_stub.limits.buckets import Limits
from server_stub.problems import Problem, answer
from server_stub.rma import tidy_rma
from server_stub.settings import API

Spent = tuple[str, str]
"""The name of a rate, and whose it is."""


class Guard:
    """Answers 429 where a rate is used up.

    A guess is counted before its answer is known, or many at one moment would all be let in; what was no guess is given
    back.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limits: Limits = scope["app"].state.receiver.limits
        address = address_of(scope)
        counts, guesses = _asked(scope, address)
        came = 0
        found = False

        async def receive_counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            return message

        async def send_seen(message: Message) -> None:
            nonlocal found
            if message["type"] == "http.response.start":
                found = message["status"] != 404
            await send(message)

        try:
            if scope["method"] in {"POST", "PATCH"}:
                limits.check("bytes-of-address", address)
            _spend(limits, [*counts, *guesses])
        except Problem as problem:
            await answer(Request(scope), problem)(scope, receive, send)
            return
        try:
            await self._app(scope, receive_counted, send_seen)
        finally:
            limits.charge("bytes-of-address", address, came)
            if found:
                for name, whose in guesses:
                    limits.give_back(name, whose)


def _spend(limits: Limits, wanted: list[Spent]) -> None:
    """Count all of them, or none."""
    done: list[Spent] = []
    try:
        for name, whose in wanted:
            limits.spend(name, whose)
            done.append((name, whose))
    except Problem:
        for name, whose in done:
            limits.give_back(name, whose)
        raise


def _asked(scope: Scope, address: str) -> tuple[list[Spent], list[Spent]]:
    """What a request counts as, and what it counts as besides when nothing is found by it."""
    method, path = scope["method"], scope["path"]
    parts = path.removeprefix(API).strip("/").split("/")
    rma = tidy_rma(parts[1]) if parts[0] == "cases" and len(parts) > 1 else ""
    guesses = [("guesses-of-address", address)]
    if rma:
        guesses.append(("guesses-of-case", rma))
    if path == f"{API}/uploads" and method == "POST":
        return [("creations-of-address", address)], guesses
    if parts[0] == "cases" and parts[-1] == "enrolment":
        of_case = [("enrolments-of-case", rma)] if rma else []
        return [("enrolments-of-address", address), *of_case], guesses
    if parts[0] == "cases" and parts[-1] in {"tpm-challenge", "tpm-answer"}:
        of_case = [("proofs-of-case", rma)] if rma else []
        return [("proofs-of-address", address), *of_case], guesses
    if parts[0] == "cases":
        return [], guesses
    if path == "/" and parse_qs(scope["query_string"]):
        rma = tidy_rma(parse_qs(scope["query_string"]).get(b"rma", [b""])[0].decode("utf-8", "replace"))
        return [], [*guesses, *([("guesses-of-case", rma)] if rma else [])]
    return [], []
