# ruff: noqa: S608 - forgers write their SQL by hand
"""The audit log: what goes into it, what the database refuses, and which forgeries the walk finds."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from server_stub import audit
from server_stub.audit.chain import canonical, link_hash
from server_stub.audit.walk import AuditBroken, Head, verify
from server_stub.cli import main
from server_stub.db import AuditRow, Database
from server_stub.db.accounts import Role
from tests.staff import Browser, account
from tests.unit.server.conftest import TUS, Bench, problem

SERIAL = "HB24A0017"
LENGTH = 6


@pytest.fixture(scope="module")
def six_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit")
    database = Database(f"sqlite:///{folder}/receiver.sqlite3")
    for number in range(1, LENGTH + 1):
        with database.write() as session:
            audit.record(session, "case-opened", audit.of_case(f"HB26-00000{number}"), number=number)
    database.close()
    return folder


@pytest.fixture
def db(tmp_path: Path, six_rows: Path) -> Iterator[Database]:
    """A log of six rows, in a database of its own."""
    shutil.copytree(six_rows, tmp_path / "data")
    database = Database(f"sqlite:///{tmp_path}/data/receiver.sqlite3")
    yield database
    database.close()


def walk(db: Database, earlier: Head | None = None) -> Head:
    with db.read() as session:
        return verify(session, earlier)


def told(bench: Bench) -> list[tuple[str, str, str]]:
    """Actor, action and subject of every row, in order."""
    with bench.receiver.db.read() as session:
        rows = session.scalars(select(AuditRow).order_by(AuditRow.sequence)).all()
        assert verify(session).sequence == len(rows)
        return [(row.actor, row.action, row.subject) for row in rows]


def detail(bench: Bench, action: str) -> list[dict[str, Any]]:
    with bench.receiver.db.read() as session:
        rows = session.scalars(select(AuditRow).where(AuditRow.action == action).order_by(AuditRow.sequence))
        return [json.loads(row.detail) for row in rows]


def forge(db: Database, *statements: str) -> None:
    """What somebody does who may write to the database's file: the guards are no hindrance to them."""
    with db.write() as session:
        if session.connection().dialect.name == "postgresql":
            session.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
        else:
            for name in ("audit_no_update", "audit_no_delete", "audit_next_only"):
                session.execute(text(f"DROP TRIGGER IF EXISTS {name}"))
        for statement in statements:
            session.connection().exec_driver_sql(statement)


def rechain(db: Database, start: int) -> None:
    """Make every hash from ``start`` on right again, and the head: a forger who knows how the chain is made."""
    with db.write() as session:
        rows = session.scalars(select(AuditRow).order_by(AuditRow.sequence)).all()
        for before, row in zip([None, *rows], rows, strict=False):
            if row.sequence >= start:
                row.previous = before.hash if before is not None else row.previous
                row.hash = link_hash(row, json.loads(row.detail))
        session.execute(text(f"UPDATE audit_head SET sequence = {rows[-1].sequence}, hash = '{rows[-1].hash}'"))


def test_a_delivery_is_told_row_by_row(bench: Bench) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    sealed = device.bundle(case.rma, bench.nonce(device, case.rma))
    location = bench.upload(case.rma, SERIAL, sealed.path.read_bytes())
    for _ in range(2):
        assert bench.receipt(location).status_code == 200
    of_case, of_unit = f"case:{case.rma}", f"unit:{SERIAL}"
    assert told(bench) == [
        ("receiver", "case-opened", of_case),
        ("sender", "key-enrolled", of_unit),
        ("sender", "upload-created", of_case),
        ("sender", "upload-settled", of_case),
        ("sender", "bundle-accepted", of_case),
        ("sender", "receipt-given", of_case),
    ]
    [accepted] = detail(bench, "bundle-accepted")
    assert accepted == {
        "sha256": sealed.sha256,
        "bundle_id": sealed.bundle_id,
        "keyid": device.key.public.keyid,
        "verdict": "pass",
        "fresh": True,
    }


def test_what_is_not_believed_is_told_with_the_reason(bench: Bench) -> None:
    case, device, other = bench.open_case(SERIAL).case, bench.device(SERIAL), bench.device(SERIAL, "other")
    bench.enrol(device, case.rma)
    bench.enrol(other, case.rma)
    content = device.bundle(case.rma).path.read_bytes()
    bench.upload(case.rma, SERIAL, other.bundle(case.rma).path.read_bytes())
    damaged = bench.create(case.rma, SERIAL, content).headers["location"]
    bench.append(damaged, 0, content[:-1] + b"?")
    given_up = bench.create(case.rma, SERIAL, b"never sent").headers["location"]
    assert bench.http.delete(given_up, headers=TUS).status_code == 204
    assert [action for _, action, _ in told(bench)] == [
        "case-opened",
        "key-enrolled",
        "key-quarantined",
        "upload-created",
        "upload-settled",
        "bundle-quarantined",
        "upload-created",
        "upload-mismatched",
        "bundle-quarantined",
        "upload-created",
        "upload-terminated",
    ]
    confirmed, announced = [found["reason"] for found in detail(bench, "bundle-quarantined")]
    assert "staff have not confirmed" in confirmed
    assert "digest that was announced" in announced


def test_what_staff_decide_is_told_under_the_name_of_their_account(bench: Bench) -> None:
    case, device, other = bench.open_case(SERIAL).case, bench.device(SERIAL), bench.device(SERIAL, "other")
    bench.enrol(device, case.rma)
    bench.enrol(other, case.rma)
    where = ["--data", str(bench.receiver.settings.data), "--serial", SERIAL]
    assert main(["accept-key", *where, "--key", other.key.public.keyid]) == 0
    assert main(["revoke-key", *where, "--key", device.key.public.keyid]) == 0
    sealed = other.bundle(None)
    assert main(["import", *where[:2], str(sealed.path), "--rma", case.rma]) == 0
    rows = told(bench)[3:]
    assert [action for _, action, _ in rows] == [
        "key-accepted",
        "key-revoked",
        "bundle-imported",
        "upload-created",
        "upload-settled",
        "bundle-accepted",
    ]
    [who] = {actor for actor, _, _ in rows}
    assert who.startswith("operator:")


def test_who_signs_in_and_decides_on_a_page_is_told_by_name(bench: Bench) -> None:
    case, device, other = bench.open_case(SERIAL).case, bench.device(SERIAL), bench.device(SERIAL, "other")
    bench.enrol(device, case.rma)
    bench.enrol(other, case.rma)
    account(bench.receiver, "quality", Role.QC)
    browser = Browser(bench.http.base_url)
    browser.sign_in("quality")
    fields = {
        "form": browser.form_word(f"/staff/cases/{case.rma}"),
        "key": other.key.public.keyid,
        "decision": "accept",
    }
    assert browser.post(f"/staff/cases/{case.rma}/keys", data=fields).status_code == 303
    assert told(bench)[3:] == [
        ("receiver", "account-added", "account:quality"),
        ("sender", "signed-in", "account:quality"),
        ("staff:quality", "key-accepted", f"unit:{SERIAL}"),
    ]


def test_what_is_rolled_back_was_never_told(bench: Bench) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    problem(bench.create(case.rma, SERIAL, b"x"), 403, "not-enrolled")
    with pytest.raises(KeyError), bench.receiver.db.write() as session:
        raise KeyError(audit.record(session, "case-moved", audit.of_case(case.rma)))
    bench.enrol(device, case.rma)
    assert [action for _, action, _ in told(bench)] == ["case-opened", "key-enrolled"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'nobody' WHERE sequence = 2",
        "UPDATE audit SET sequence = 99 WHERE sequence = 6",
        "DELETE FROM audit WHERE sequence = 6",
        "DELETE FROM audit",
        "INSERT INTO audit SELECT 99, time, actor, action, subject, detail, previous, hash FROM audit LIMIT 1",
        "INSERT INTO audit SELECT 0, time, actor, action, subject, detail, previous, hash FROM audit LIMIT 1",
        "INSERT OR REPLACE INTO audit SELECT 3, time, actor, action, subject, detail, previous, hash FROM audit",
    ],
)
def test_the_database_refuses_to_have_it_rewritten(db: Database, statement: str) -> None:
    with pytest.raises((IntegrityError, OperationalError), match="only ever added"), db.write() as session:
        session.execute(text(statement))
    assert walk(db).sequence == LENGTH


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'nobody'",
        "DELETE FROM audit",
        "INSERT INTO audit SELECT 99, time, actor, action, subject, detail, previous, hash FROM audit LIMIT 1",
        "INSERT INTO audit SELECT 0, time, actor, action, subject, detail, previous, hash FROM audit LIMIT 1",
    ],
)
def test_the_receivers_database_refuses_it_too(bench: Bench, statement: str) -> None:
    bench.open_case()
    with pytest.raises(IntegrityError, match="only ever added"), bench.receiver.db.write() as session:
        session.execute(text(statement))
    assert told(bench) != []


CHANGED = {
    "time": "2026-01-01T00:00:00.000000Z",
    "actor": "operator:root",
    "action": "bundle-accepted",
    "subject": "case:HB26-999999",
    "detail": '{"number":7}',
    "previous": "f" * 64,
    "hash": "f" * 64,
}


@pytest.mark.parametrize("sequence", [1, 3, LENGTH])
@pytest.mark.parametrize("column", CHANGED)
def test_a_changed_row_is_found(db: Database, column: str, sequence: int) -> None:
    forge(db, f"UPDATE audit SET {column} = '{CHANGED[column]}' WHERE sequence = {sequence}")
    with pytest.raises(AuditBroken) as found:
        walk(db)
    assert found.value.sequence == sequence


@pytest.mark.parametrize(
    "other", ['{"number": 3}', '{"number":3,"number":3}', '{"number":3.0}', "3", "", "{", "\N{SNOWMAN}", "X'00FF'", "7"]
)
def test_a_detail_in_another_spelling_is_found(db: Database, other: str) -> None:
    value = other if other.startswith("X'") or other == "7" else f"'{other}'"
    with db.write() as session:
        session.execute(text("DROP TRIGGER IF EXISTS audit_no_update"))
        session.connection().exec_driver_sql(f"UPDATE audit SET detail = {value} WHERE sequence = 3")
    with pytest.raises(AuditBroken) as found:
        walk(db)
    assert found.value.sequence == 3


@pytest.mark.parametrize("sequence", range(1, LENGTH + 1))
def test_a_removed_row_is_found(db: Database, sequence: int) -> None:
    forge(db, f"DELETE FROM audit WHERE sequence = {sequence}")
    with pytest.raises(AuditBroken) as found:
        walk(db)
    assert found.value.sequence == sequence


@pytest.mark.parametrize("sequence", range(1, LENGTH + 1))
def test_a_removed_row_is_found_when_those_after_it_moved_up(db: Database, sequence: int) -> None:
    moved = [f"UPDATE audit SET sequence = {n - 1} WHERE sequence = {n}" for n in range(sequence + 1, LENGTH + 1)]
    forge(db, f"DELETE FROM audit WHERE sequence = {sequence}", *moved)
    with pytest.raises(AuditBroken) as found:
        walk(db)
    assert found.value.sequence == sequence


@pytest.mark.parametrize("sequence", [1, 4, LENGTH + 1])
def test_an_inserted_row_is_found(db: Database, sequence: int) -> None:
    moved = [f"UPDATE audit SET sequence = {n + 1} WHERE sequence = {n}" for n in range(LENGTH, sequence - 1, -1)]
    columns = "time, actor, action, subject, detail, previous, hash"
    copy = f"INSERT INTO audit SELECT {sequence}, {columns} FROM audit ORDER BY sequence LIMIT 1"
    forge(db, *moved, copy)
    with pytest.raises(AuditBroken) as found:
        walk(db)
    assert found.value.sequence in {sequence, sequence + 1}


@pytest.mark.parametrize(("one", "other"), [(1, 2), (3, 5), (5, 6)])
def test_reordered_rows_are_found(db: Database, one: int, other: int) -> None:
    moves = ((one, 99), (other, one), (99, other))
    forge(db, *(f"UPDATE audit SET sequence = {new} WHERE sequence = {old}" for old, new in moves))
    with pytest.raises(AuditBroken) as found:
        walk(db)
    assert found.value.sequence == one


@pytest.mark.parametrize("kept", range(LENGTH))
def test_a_log_that_was_cut_off_is_found(db: Database, kept: int) -> None:
    forge(db, f"DELETE FROM audit WHERE sequence > {kept}")
    with pytest.raises(AuditBroken) as found:
        walk(db)
    assert found.value.sequence == kept + 1


def test_a_row_behind_the_head_and_a_head_that_is_gone_are_found(db: Database) -> None:
    with db.read() as session:
        last = session.get_one(AuditRow, LENGTH)
        more = AuditRow(
            sequence=LENGTH + 1, time=last.time, actor="", action="", subject="", detail="{}", previous=last.hash
        )
        more.hash = link_hash(more, {})
    with db.write() as session:
        session.add(more)
    with pytest.raises(AuditBroken, match="the head does not know of it"):
        walk(db)
    forge(db, "DELETE FROM audit_head")
    with pytest.raises(AuditBroken, match="head is gone"):
        walk(db)


@pytest.mark.parametrize("forgery", ["cut off", "changed", "removed", "begun anew"])
def test_a_forger_who_makes_the_chain_anew_is_found_by_an_earlier_head(db: Database, forgery: str) -> None:
    earlier = walk(db)
    statements = {
        "cut off": "DELETE FROM audit WHERE sequence > 4",
        "changed": "UPDATE audit SET actor = 'operator:root' WHERE sequence = 2",
        "removed": "DELETE FROM audit WHERE sequence = 6",
        "begun anew": "DELETE FROM audit WHERE sequence > 1",
    }
    forge(db, statements[forgery])
    rechain(db, 2)
    walk(db)  # it looks whole
    with pytest.raises(AuditBroken):
        walk(db, earlier)


def test_a_log_that_went_on_agrees_with_an_earlier_head(db: Database) -> None:
    earlier = walk(db)
    with db.write() as session:
        audit.record(session, "case-opened", "case:x")
    assert walk(db, earlier).sequence == LENGTH + 1
    assert walk(db, Head(0, "0" * 64)).sequence == LENGTH + 1


LEAF = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text()
JSON = LEAF | st.lists(LEAF, max_size=3) | st.dictionaries(st.text(), LEAF, max_size=3)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.from_regex("[a-z]{1,8}", fullmatch=True), JSON, max_size=4), st.text())
def test_whatever_is_told_is_read_back_as_it_was(db: Database, told: dict[str, Any], subject: str) -> None:
    told = {f"x_{name}": value for name, value in told.items()}
    before = walk(db)
    with db.write() as session:
        audit.record(session, "odd", subject, **told)
    assert walk(db, before).sequence == before.sequence + 1
    with db.read() as session:
        row = session.get_one(AuditRow, before.sequence + 1)
    assert json.loads(row.detail) == told


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, LENGTH), st.sampled_from(sorted(CHANGED)), st.integers(0, 300), st.integers(1, 127))
def test_any_changed_character_anywhere_is_found(db: Database, row: int, column: str, at: int, by: int) -> None:
    with db.write() as session:
        session.execute(text("DROP TRIGGER IF EXISTS audit_no_update"))
        held = str(session.execute(text(f"SELECT {column} FROM audit WHERE sequence = {row}")).scalar_one())
        at %= len(held)
        other = held[:at] + chr((ord(held[at]) + by) % 128) + held[at + 1 :]
        change = text(f"UPDATE audit SET {column} = :value WHERE sequence = {row}")
        session.execute(change, {"value": other})
    with pytest.raises(AuditBroken) as found:
        walk(db)
    assert found.value.sequence == row
    with db.write() as session:
        session.execute(change, {"value": held})
    walk(db)


def test_writers_at_one_moment_leave_no_gap(db: Database, tmp_path: Path) -> None:
    others = [Database(f"sqlite:///{tmp_path}/data/receiver.sqlite3") for _ in range(4)]

    def write(database: Database, name: int) -> None:
        for number in range(10):
            with database.write() as session:
                audit.record(session, "one", f"case:{name}", number=number)
                audit.record(session, "two", f"case:{name}", number=number)

    threads = [threading.Thread(target=write, args=(other, name)) for name, other in enumerate(others)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert walk(db).sequence == LENGTH + 80
    with db.read() as session:
        rows = session.scalars(select(AuditRow).where(AuditRow.sequence > LENGTH).order_by(AuditRow.sequence)).all()
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    assert all((a.action, b.action) == ("one", "two") and a.subject == b.subject for a, b in pairs)
    for other in others:
        other.close()


def test_the_commands_agree(bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = bench.open_case(SERIAL).case, bench.open_case("HB24A0018").case
    bench.enrol(bench.device(SERIAL), first.rma)
    where = ["--data", str(bench.receiver.settings.data)]
    assert main(["audit", "verify", *where]) == 0
    assert capsys.readouterr().out.startswith("3 rows, whole; head ")
    assert main(["audit", "head", *where]) == 0
    anchor = tmp_path / "head.json"
    anchor.write_text(capsys.readouterr().out)
    assert main(["audit", "show", *where, "--rma", first.rma]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[3] for line in shown] == ["case-opened", "key-enrolled"]
    assert main(["audit", "show", *where]) == 0
    assert second.rma in capsys.readouterr().out
    assert main(["audit", "show", *where, "--rma", "HB26-000000-0"]) == 2
    bench.open_case("HB24A0019")
    assert main(["audit", "verify", *where, "--head", str(anchor)]) == 0
    forge(bench.receiver.db, "DELETE FROM audit WHERE sequence > 2")
    rechain(bench.receiver.db, 1)
    assert main(["audit", "verify", *where]) == 0
    capsys.readouterr()
    assert main(["audit", "verify", *where, "--head", str(anchor)]) == 2
    assert "broken at row 3" in capsys.readouterr().err
    forge(bench.receiver.db, "UPDATE audit SET actor = 'x' WHERE sequence = 1")
    assert main(["audit", "verify", *where]) == 2
    assert main(["audit", "head", *where]) == 2  # what is broken is not signed
    assert "broken at row 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[" * 70_000, b'{"payload":"e30=","payloadType":"x","signatures":[]}']
)
def test_what_is_no_head_is_refused(bench: Bench, tmp_path: Path, content: bytes) -> None:
    anchor = tmp_path / "head.json"
    anchor.write_bytes(content)
    assert main(["audit", "verify", "--data", str(bench.receiver.settings.data), "--head", str(anchor)]) == 2


def test_the_spelling_is_that_of_rfc_8785() -> None:
    """Its section 3.2.3: members are sorted by UTF-16 code units."""
    members = {"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew", "1": "One", "\U0001f600": "Smiley"}
    spelled = canonical(members).decode()
    assert list(json.loads(spelled)) == ["\r", "1", "\u20ac", "\U0001f600", "\ufb33"]
