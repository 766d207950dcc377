"""A database from before there were migrations: ``before_migrations.sql`` is what ``sqlite3 .dump`` said of one."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from server_stub.cases import find_by_claim
from server_stub.db import Database, schema
from tests.unit.server.test_migrations import described

DUMP = Path(__file__).with_name("before_migrations.sql")
TABLES = ("units", "cases", "device_keys", "key_proofs", "nonces", "uploads", "bundles", "events")


@pytest.fixture(autouse=True)
def storage() -> None:
    """They were all SQLite's."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "receiver.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(DUMP.read_text())
    return path


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}  # noqa: S608


def with_slow_hash(case: tuple[object, ...]) -> tuple[object, ...]:
    """A case whose claim code, of which the SHA-256 was kept, is kept by scrypt over that, as cases are opened now."""
    number, rma, unit, symptom, words, status, once, *more = case
    slow = hashlib.scrypt(str(once).encode(), salt=str(rma).encode(), n=2**11, r=8, p=1, dklen=32).hex()
    return (number, rma, unit, symptom, words, status, slow, *more)


def test_a_claim_code_of_then_opens_its_case(old: Path) -> None:
    claim = "0123-4567-89AB"
    with closing(sqlite3.connect(old)) as connection, connection:
        once = hashlib.sha256(claim.replace("-", "").encode()).hexdigest()
        connection.execute("UPDATE cases SET claim_sha256 = ? WHERE id = 1", (once,))
        rma = str(connection.execute("SELECT rma FROM cases WHERE id = 1").fetchone()[0])
    database = Database(f"sqlite:///{old}")
    with database.read() as session:
        assert find_by_claim(session, rma, claim) is not None
        assert find_by_claim(session, rma, once) is None
    database.close()


def test_it_is_taken_over_without_loss(old: Path, tmp_path: Path) -> None:
    before = rows(old)
    assert all(before.values()), "there is something to lose in every table"
    Database(f"sqlite:///{old}").close()
    after = rows(old)
    before["cases"] = [with_slow_hash(row) for row in before["cases"]]
    for table in TABLES:
        assert [row[: len(was)] for row, was in zip(after[table], before[table], strict=True)] == before[table]
    fresh = tmp_path / "fresh.sqlite3"
    Database(f"sqlite:///{fresh}").close()
    assert described(create_engine(f"sqlite:///{old}")) == described(create_engine(f"sqlite:///{fresh}"))


def test_one_that_lacks_a_table_gets_it(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript("DROP TABLE key_proofs")
    database = Database(f"sqlite:///{old}")
    with database.read() as session:
        assert schema.version(session.connection()) == schema.newest()
    database.close()
    assert rows(old)["key_proofs"] == []


def test_its_timeline_still_cannot_be_rewritten(old: Path) -> None:
    Database(f"sqlite:///{old}").close()
    with closing(sqlite3.connect(old)) as connection, pytest.raises(sqlite3.IntegrityError, match="only ever added"):
        connection.execute("DELETE FROM events")
