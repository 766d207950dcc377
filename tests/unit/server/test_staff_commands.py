"""Accounts and tokens on the command line, and programs that call with a token."""

from __future__ import annotations

import io
import json
import re
import subprocess
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from server_stub.cli import main
from server_stub.clock import now
from server_stub.db import Base, Database
from server_stub.db.accounts import ApiToken, Role
from server_stub.settings import API, Settings
from server_stub.staff import accounts, tokens
from server_stub.staff.roles import Scope
from server_stub.staff.secret_words import digest_of
from tests.device import Contents
from tests.staff import PASSWORD
from tests.unit.server.conftest import Bench, problem
from tests.unit.server.test_intake import FAULT
from tests.unit.server.test_serve import ROOT, command

SERIAL = "HB24A0017"


@dataclass
class Done:
    """What a command gave."""

    returncode: int
    stdout: str
    stderr: str


class Commands:
    """``aiodiag-server`` in this process, with somebody's words on standard input."""

    def __init__(self, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.data = data
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str, typed: str = "") -> Done:
        self._monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        try:
            status = main([*arguments, "--data", str(self.data)])
        except SystemExit as ended:
            status = int(ended.code or 0)
        shown = self._capsys.readouterr()
        return Done(status, shown.out, shown.err)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(tmp_path, monkeypatch, capsys)


def token(bench: Bench, *scopes: Scope, days: int = 90) -> tuple[int, dict[str, str]]:
    """Its number, and the header that a program sends."""
    with bench.receiver.db.write() as session:
        made, word = tokens.add(session, "shop", scopes, days)
        return made.id, {"Authorization": f"Bearer {word}"}


def test_the_first_account_is_made_on_the_command_line_and_never_with_its_password(server: Commands) -> None:
    made = server("account", "add", "ana", "--role", "admin", typed=f"{PASSWORD}\n")
    assert (made.returncode, made.stdout, made.stderr) == (0, "ana can sign in at /staff/ as admin\n", "")
    for typed, name, said in (
        (PASSWORD, "ana", "there is an account ana already"),
        ("short", "ben", "a password has 12 to 256 characters"),
        ("", "ben", "a password has 12 to 256 characters"),
        (
            PASSWORD,
            "Ben Example",
            "a name has up to 64 of the characters a-z 0-9 . _ - and begins with a letter or digit",
        ),
    ):
        refused = server("account", "add", name, "--role", "qc", typed=typed)
        assert (refused.returncode, refused.stderr) == (2, f"aiodiag-server: {said}\n")
    assert server("account", "password", "nobody").stderr == "aiodiag-server: there is no account nobody\n"
    assert server("account", "password", "ana", typed="quite another one\n").returncode == 0
    assert server("account", "disable", "ana").returncode == 0
    assert server("account", "list").stdout == "ana  admin  disabled  last: never\n"
    with closing(Database(Settings(server.data).database_url)) as database, database.read() as session:
        ana = accounts.named(session, "ana")
    assert (ana.role, ana.disabled) == (Role.ADMIN, True)


def test_a_new_receiver_says_how_the_first_account_is_made(server: Commands, tmp_path: Path) -> None:
    for expected in (f"aiodiag-server account add NAME --role admin --data {tmp_path}", ""):
        process = subprocess.Popen(
            command("serve", "--port", "0", "--data", str(tmp_path)),
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("listening on ")
        finally:
            process.terminate()
            _, said = process.communicate(timeout=30)
        assert expected in said
        assert bool(expected) == ("no staff account yet" in said)
        server("account", "add", "ana", "--role", "admin", typed=PASSWORD)


def test_a_token_is_shown_once_listed_and_revoked(server: Commands) -> None:
    made = server("token", "add", "--name", "shop", "--scope", "cases:read", "--scope", "bundles:read")
    told = json.loads(made.stdout)
    assert told["scopes"] == ["bundles:read", "cases:read"]
    assert re.fullmatch(r"aiodiag_[\w-]{43}", told["token"])
    with closing(Database(Settings(server.data).database_url)) as database, database.read() as session:
        stored = str([session.execute(table.select()).all() for table in Base.metadata.sorted_tables])
    assert "cases:read" in stored
    assert told["token"].removeprefix("aiodiag_") not in stored
    listed = server("token", "list").stdout
    assert listed == f"1  until {told['expires']}  last used: never  bundles:read cases:read  shop\n"
    assert server("token", "revoke", "1").returncode == 0
    assert "revoked" in server("token", "list").stdout
    assert server("token", "revoke", "1").stderr == "aiodiag-server: token 1 is revoked already\n"
    assert server("token", "revoke", "9").stderr == "aiodiag-server: there is no token 9\n"
    bad = server("token", "add", "--name", "x", "--scope", "cases:read", "--days", "367")
    assert bad.stderr == "aiodiag-server: a token holds for 1 to 366 days\n"
    assert server("token", "add", "--name", "x", "--scope", "everything").returncode == 2


def test_a_program_reads_cases_and_bundles(bench: Bench) -> None:
    opened = bench.open_case(SERIAL)
    rma = opened.case.rma
    device = bench.device(SERIAL)
    sealed = device.bundle(rma, bench.nonce(device, rma), Contents(findings=[FAULT]))
    content = sealed.path.read_bytes()
    bench.upload(rma, SERIAL, content)
    number, header = token(bench, Scope.CASES_READ, Scope.BUNDLES_READ)
    listed = bench.http.get(f"{API}/staff/cases", headers=header).json()
    assert [case["rma"] for case in listed["cases"]] == [rma]
    assert listed["next"] is None
    case = bench.http.get(f"{API}/staff/cases/{rma}", headers=header).json()
    [bundle] = case["bundles"]
    assert (case["serial"], bundle["sha256"], bundle["state"]) == (SERIAL, sealed.sha256, "accepted")
    assert [finding["code"] for finding in bundle["findings"]] == [FAULT.code]
    got = bench.http.get(f"{API}/staff/cases/{rma}/bundles/{bundle['number']}", headers=header)
    assert got.content == content
    for path in ("cases/HB26-000000-0", f"cases/{rma}/bundles/99", f"cases/{rma}/bundles/{2**40}"):
        problem(bench.http.get(f"{API}/staff/{path}", headers=header), 404, "not-found")
    assert bench.http.get(f"{API}/staff/cases?after={2**80}", headers=header).json() == {"cases": [], "next": None}
    with bench.receiver.db.read() as session:
        used = session.get_one(ApiToken, number).last_used
    assert used is not None
    assert now() - used < timedelta(minutes=1)


def test_the_list_of_cases_goes_on_where_it_ended(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server_stub.staff.api.PAGE", 2)
    opened = [bench.open_case(SERIAL).case.rma for _ in range(5)]
    _, header = token(bench, Scope.CASES_READ)
    seen: list[str] = []
    after: Any = 0
    while after is not None:
        answer = bench.http.get(f"{API}/staff/cases?after={after}", headers=header).json()
        assert len(answer["cases"]) <= 2
        seen += [case["rma"] for case in answer["cases"]]
        after = answer["next"]
    assert seen == opened


def test_a_token_opens_what_its_scope_says_and_nothing_else(bench: Bench) -> None:
    rma = bench.open_case(SERIAL).case.rma
    _, reads_cases = token(bench, Scope.CASES_READ)
    _, reads_bundles = token(bench, Scope.BUNDLES_READ)
    for header, path in (
        (reads_cases, f"cases/{rma}/bundles/1"),
        (reads_bundles, "cases"),
        (reads_bundles, f"cases/{rma}"),
    ):
        answer = bench.http.get(f"{API}/staff/{path}", headers=header)
        problem(answer, 403, "forbidden")
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    page = bench.http.get("/staff/cases", headers=reads_cases, allow_redirects=False)
    assert page.status_code == 303  # a token is no session


def test_a_token_that_was_revoked_expired_or_made_up_opens_nothing(bench: Bench) -> None:
    number, header = token(bench, Scope.CASES_READ)
    word = header["Authorization"].removeprefix("Bearer ")
    digest = digest_of(word)
    assert bench.http.get(f"{API}/staff/cases", headers=header).status_code == 200
    for wrong in ("", "Bearer", "Bearer ", f"Basic {word}", word, f"Bearer {word}x", f"Bearer {digest}", "Bearer \xff"):
        answer = bench.http.get(f"{API}/staff/cases", headers={"Authorization": wrong} if wrong else {})
        problem(answer, 401, "unauthorised")
        assert answer.headers["www-authenticate"] == 'Bearer realm="aiodiag"'
    problem(bench.http.get(f"{API}/staff/cases?access_token={word}"), 401, "unauthorised")
    with bench.receiver.db.write() as session:
        session.get_one(ApiToken, number).expires = now() - timedelta(seconds=1)
    problem(bench.http.get(f"{API}/staff/cases", headers=header), 401, "unauthorised")
    with bench.receiver.db.write() as session:
        session.get_one(ApiToken, number).expires = now() + timedelta(days=1)
        tokens.revoke(session, number)
    problem(bench.http.get(f"{API}/staff/cases", headers=header), 401, "unauthorised")
