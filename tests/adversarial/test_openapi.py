"""Whatever the receiver's OpenAPI document allows, and what it does not: Schemathesis makes the requests, as staff with
a token for everything and as nobody, on a receiver that has something to lose.

``AIODIAG_API_FUZZ`` says how many for each operation, and for who asks.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote

import pytest
import requests
import schemathesis
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)

from server_stub.cases import find
from server_stub.clock import now
from server_stub.db import Nonce, TpmChallenge
from server_stub.limits import Limits
from server_stub.settings import API
from server_stub.staff import tokens
from server_stub.staff.roles import Scope
from server_stub.steps import MOVES
from server_stub.tpm.makers import Makers
from server_stub.uploads.headers import CONTENT_TYPE
from tests.device import Device, encode_metadata, metadata
from tests.p256_key import P256Key
from tests.tpm_maker import Maker
from tests.tpm_unit import Proving, coded, of_software
from tests.unit.server.conftest import Bench
from uploader import dsse, strict_json
from uploader.receiver import ANSWER_TYPE, CHALLENGE_TYPE

pytestmark = pytest.mark.adversarial

SERIAL = "HB24A0017"
SECRET = bytes(range(32))
COUNT = int(os.environ.get("AIODIAG_API_FUZZ", "20"))
LINK_TYPE = "application/vnd.hibertek.aiodiag.link+json"
NASTY = ("\0", "\N{FULLWIDTH SOLIDUS}", "x" * 5000, "-1", str(2**63), "9" * 4400, "%00", "\r\nX-A: b")
NASTY_HEADERS = (
    "",
    "\xff",
    "é".encode().decode("latin-1"),
    "x" * 5000,
    "-1",
    str(2**63),
    "9" * 4400,
    "\u0661".encode().decode("latin-1"),
)
"""Values that broke something somewhere else."""

NO_HTTP = b"Invalid HTTP request received."
"""What the HTTP server says by itself, before there is a request."""

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]

schemathesis.serializer.alias(CONTENT_TYPE, "application/octet-stream")


@dataclass
class Ground:
    """A receiver with a case, a unit's key, and uploads at each stage. ``known`` are values by the names of parameters
    that lead to these, the best first; ``body`` is what a unit would send now.
    """

    bench: Bench
    device: Device
    rma: str
    token: str
    settled: list[str]
    content: bytes
    known: dict[str, list[str]]
    session: requests.Session
    proving: Proving
    body: bytes = b""

    def afresh(self, operation: Any) -> None:
        """Nothing is used up: rates are as after a restart, there is an unfinished upload, and a nonce for one link."""
        self.bench.receiver.limits = Limits()
        path = operation.path
        if "{upload_id}" in path:
            begun = self.bench.create(self.rma, SERIAL, self.content).headers
            of_begun = begun["location"].rpartition("/")[2]
            self.known["upload_id"] = self.settled if path.endswith("/receipt") else [of_begun, *self.settled]
            self.known["Upload-Offset"] = [begun["upload-offset"], "0", str(len(self.content))]
            self.body = os.urandom(7)
        if path.endswith("/enrolment"):
            self.body = self.device.enrolment(self.rma)
        if path.endswith("/step"):
            self.body = strict_json.canonical(self._next_step())
        if path.endswith("/tpm-challenge"):
            self.body = self.proving.envelope(CHALLENGE_TYPE, **self.proving.showing())
        if path.endswith("/tpm-answer"):
            self.body = self.proving.envelope(ANSWER_TYPE, challenge=self._challenge(), secret=coded(SECRET))
        if path.endswith("/link"):
            payload = {"rma": self.rma, "serial": SERIAL, "nonce": self.bench.nonce(self.device, self.rma)}
            self.body = dsse.sign(strict_json.canonical(payload), LINK_TYPE, self.device.key)

    def _next_step(self) -> dict[str, str]:
        """What moves the case on, wherever it is."""
        with self.bench.receiver.db.read() as session:
            case = find(session, self.rma)
            assert case is not None
        move = MOVES[case.status][0]
        return {"from": case.status, "to": move.to, "note": "a note", "tracking": "1Z" if move.shipped else ""}

    def _challenge(self) -> str:
        """One whose secret is known; a TPM would have to read it otherwise."""
        nonce = self.bench.nonce(self.device, self.rma)
        digests = {"secret_sha256": hashlib.sha256(SECRET).hexdigest(), "ek": "e" * 64, "certificate": "c" * 64}
        with self.bench.receiver.db.write() as session:
            issued = session.get_one(Nonce, nonce)
            whose = {"case_id": issued.case_id, "key_id": issued.key_id}
            session.add(TpmChallenge(id=nonce, nonce=nonce, created=now(), answered=None, **whose, **digests))
        return nonce

    def call(self, case: schemathesis.Case, token: str, body: bytes | None) -> schemathesis.Response:
        """``body`` instead of the one of the case."""
        case.headers.pop("Authorization", None)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        other: dict[str, Any] = {}
        if body is not None:
            headers["Content-Type"] = case.media_type or ""
            other["data"] = body
        return case.call(self.bench.http.base_url, self.session, headers, timeout=20, **other)


@pytest.fixture
def ground(bench: Bench) -> Iterator[Ground]:
    rma = bench.open_case(SERIAL, date(2025, 3, 1)).case.rma
    device, maker, ek = Device(bench.folder / "device", SERIAL, P256Key()), Maker(), generate_private_key(SECP256R1())
    bench.receiver.makers = Makers([maker.root, maker.authority])
    shown = of_software(device.key.public, ek, maker.certificate(ek.public_key()))
    proving = Proving(bench, device, rma, shown)
    accepted = bench.upload(rma, SERIAL, device.bundle(rma, bench.nonce(device, rma)).path.read_bytes())
    assert bench.receipt(accepted).status_code == 200
    refused = bench.upload(rma, SERIAL, b"no bundle")
    assert bench.receipt(refused).status_code == 422
    content = os.urandom(20_000)
    with bench.receiver.db.write() as session:
        _, token = tokens.add(session, "fuzz", list(Scope), 1)
    strange = {**metadata(rma, SERIAL, b"x"), "filename": "\0/../a"}
    known = {
        "rma": [rma],
        "serial": [SERIAL],
        "number": ["1", "2"],
        "after": ["0", "1"],
        "Tus-Resumable": ["1.0.0"],
        "Upload-Length": [str(len(content))],
        "Upload-Metadata": [encode_metadata(metadata(rma, SERIAL, content)), encode_metadata(strange)],
        "X-HTTP-Method-Override": ["PATCH", "DELETE", "patch"],
    }
    settled = [location.rpartition("/")[2] for location in (accepted, refused)]
    with requests.Session() as session:
        session.trust_env = False
        yield Ground(bench, device, rma, token, settled, content, known, session, proving)


def sound(operation: Any, ground: Ground) -> schemathesis.Case:
    """The request that a unit or a program would make."""
    asked: dict[str, dict[str, str]] = {"path_parameters": {}, "query": {}, "headers": {}}
    for part, values in asked.items():
        names = [parameter.name for parameter in getattr(operation, part)]
        values.update({name: ground.known[name][0] for name in names if name in ground.known})
    [media_type] = [body.media_type for body in operation.body] or [None]
    return operation.Case(**asked, media_type=media_type)


def chosen(data: st.DataObject, ground: Ground, case: schemathesis.Case) -> bytes | None:
    """Single parts of the request are others: ones that exist, so that it comes further, or ones that are nasty. Gives
    the body, if that is another too.
    """
    for part in (case.path_parameters, case.query, case.headers):
        for name in list(part):
            how = data.draw(st.sampled_from(["known", "known", "generated", "nasty"])) if name in ground.known else ""
            if how == "known":
                part[name] = data.draw(st.sampled_from(ground.known[name]))
            elif how == "nasty" and part is case.path_parameters:
                part[name] = quote(data.draw(st.sampled_from(NASTY)), safe="")
            elif how == "nasty":
                part[name] = data.draw(st.sampled_from(NASTY_HEADERS if part is case.headers else NASTY))
    if not case.media_type or data.draw(st.booleans()):
        return None
    body = bytearray(data.draw(st.sampled_from([ground.body, ground.body, ground.content, b"", b"\0"])))
    if body and data.draw(st.integers(0, 3)) == 0:
        at = data.draw(st.integers(0, 1 << 20)) % len(body)  # a signature of P-256 is not always as long (X9.62)
        body[at] ^= data.draw(st.sampled_from([1, 0x20, 0x80]))
    return bytes(body)


def ask(operation: Any, mode: GenerationMode, ground: Ground, token: str) -> Counter[int]:
    """Many requests to one operation; what the answers were. None where no request can be as the mode says."""
    answers = Counter[int]()
    told = set(operation.definition.raw["responses"])

    @settings(
        max_examples=COUNT,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def one(data: st.DataObject) -> None:
        ground.afresh(operation)
        case = data.draw(operation.as_strategy(generation_mode=mode))
        answer = ground.call(case, token, chosen(data, ground, case))
        if answer.content == NO_HTTP:
            return
        answers[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)
        assert str(answer.status_code) in told, f"{answer.status_code} is not in the document: {answer.content[:300]!r}"

    with suppress(Unsatisfiable):
        one()
    return answers


@pytest.mark.parametrize("who", ["staff", "nobody"])
def test_no_request_that_can_be_made_from_the_document_is_too_much(who: str, ground: Ground) -> None:
    schema = schemathesis.openapi.from_url(f"{ground.bench.http.base_url}{API}/openapi.json")
    token = ground.token if who == "staff" else ""
    seen = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        name = f"{operation.method.upper()} {operation.path}"
        guarded = operation.path.startswith(f"{API}/staff/") and not token
        ground.afresh(operation)
        first = sound(operation, ground)
        answer = ground.call(first, token, ground.body if first.media_type else None)
        assert (answer.status_code == 401) if guarded else (answer.status_code < 300), (name, answer.content)
        first.validate_response(answer, checks=CHECKS)
        answers = sum((ask(operation, mode, ground, token) for mode in GenerationMode), Counter[int]())
        print(name, dict(sorted(answers.items())))
        assert not guarded or set(answers) == {401}
        seen += 1
    assert seen == sum(len(methods) for methods in schema.raw_schema["paths"].values()) > 10
