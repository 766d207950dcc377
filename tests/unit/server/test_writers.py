"""Writers at the same moment, on either database: each decides on what is true when its change counts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from server_stub.cases import note
from server_stub.db import Bundle, Case, Event, Upload
from server_stub.settings import API
from tests.storages import Storage
from tests.unit.server.conftest import TUS, Bench

SERIAL = "HB24A0017"
WRITERS = 8


def at_once(act: Callable[[int], Any], writers: int = WRITERS) -> list[Any]:
    """What ``act(0)``, ``act(1)``, … give when all of them begin together."""
    start = Barrier(writers)

    def one(number: int) -> Any:
        start.wait(30)
        return act(number)

    with ThreadPoolExecutor(writers) as pool:
        return list(pool.map(one, range(writers)))


def test_nobody_decides_on_what_is_true_no_longer(bench: Bench) -> None:
    """Read, think, write: as a counter, a chain of hashes or a limit does."""
    case = bench.open_case(SERIAL).case

    def count(_number: int) -> None:
        for _ in range(5):
            with bench.receiver.db.write() as session:
                row = session.get_one(Case, case.id)
                row.words = str(int(row.words or "0") + 1)
                note(session, row, "counted", to=row.words)

    at_once(count)
    with bench.receiver.db.read() as session:
        assert session.get_one(Case, case.id).words == str(WRITERS * 5)
        counted = session.scalars(select(Event).where(Event.kind == "counted").order_by(Event.id)).all()
        assert [event.details["to"] for event in counted] == [str(n + 1) for n in range(WRITERS * 5)]


def test_a_reader_sees_one_moment(bench: Bench) -> None:
    case = bench.open_case(SERIAL).case
    with bench.receiver.db.read() as session:
        before = len(session.scalars(select(Event)).all())
        with bench.receiver.db.write() as writing:
            note(writing, writing.get_one(Case, case.id), "meanwhile")
        assert len(session.scalars(select(Event)).all()) == before
    with bench.receiver.db.read() as session:
        assert len(session.scalars(select(Event)).all()) == before + 1


def test_whoever_waits_to_write_keeps_nobody_from_reading(bench: Bench, storage: Storage) -> None:
    if storage.database:
        pytest.skip("PostgreSQL's writers wait with a connection each")
    case, writers = bench.open_case(SERIAL).case, 40
    begun = Barrier(writers + 1)

    def write() -> None:
        begun.wait(30)
        with bench.receiver.db.write() as session:
            note(session, session.get_one(Case, case.id), "waited")

    with ThreadPoolExecutor(writers) as pool:
        with bench.receiver.db.write() as session:
            note(session, session.get_one(Case, case.id), "first")
            waiting = [pool.submit(write) for _ in range(writers)]
            begun.wait(30)
            time.sleep(0.5)  # now all of them wait, if this machine is not slower than that; else it shows less
            assert bench.http.get("/", params={"rma": case.rma, "serial": SERIAL}).status_code == 200
            assert not any(writer.done() for writer in waiting)
        for writer in waiting:
            writer.result()


def test_what_need_not_last_does_not_wait_for_the_disk_and_all_else_does(bench: Bench, storage: Storage) -> None:
    """One connection after another kind of transaction; on SQLite 2 is FULL and 1 NORMAL."""
    asked, levels = ("SHOW synchronous_commit", "on off") if storage.database else ("PRAGMA synchronous", "2 1")
    full, less = levels.split()
    for lasting in (True, False, True, False):
        with bench.receiver.db.write(lasting=lasting) as session:
            assert str(session.scalar(text(asked))) == (full if lasting else less)


def test_of_first_keys_at_the_same_moment_one_speaks_for_the_unit(bench: Bench) -> None:
    rma = bench.open_case(SERIAL).case.rma
    enrolments = [bench.device(SERIAL, f"device-{n}").enrolment(rma) for n in range(WRITERS)]
    answers = at_once(lambda n: bench.http.post(f"{API}/cases/{rma}/enrolment", data=enrolments[n]).status_code)
    assert Counter(answers) == {200: 1, 403: WRITERS - 1}


def test_the_same_key_at_the_same_moment_is_one_key(bench: Bench) -> None:
    rma = bench.open_case(SERIAL).case.rma
    enrolment = bench.device(SERIAL).enrolment(rma)
    answers = at_once(lambda _: bench.http.post(f"{API}/cases/{rma}/enrolment", data=enrolment))
    assert [answer.status_code for answer in answers] == [200] * WRITERS
    assert len({answer.json()["nonce"] for answer in answers}) == WRITERS


def test_one_digest_announced_at_the_same_moment_is_one_upload(bench: Bench) -> None:
    case = bench.open_case(SERIAL).case
    bench.enrol(bench.device(SERIAL), case.rma)
    answers = at_once(lambda _: bench.create(case.rma, SERIAL, b"bytes"))
    assert [answer.status_code for answer in answers] == [201] * WRITERS
    assert len({answer.headers["location"] for answer in answers}) == 1


def test_one_lease_at_a_time_and_one_writer_at_an_offset(bench: Bench) -> None:
    case = bench.open_case(SERIAL).case
    bench.enrol(bench.device(SERIAL), case.rma)
    upload_id = bench.create(case.rma, SERIAL, b"0123456789").headers["location"].rpartition("/")[2]
    uploads = bench.receiver.uploads
    [token] = [token for token in at_once(lambda _: uploads.acquire(upload_id)) if token is not None]
    assert Counter(at_once(lambda n: uploads.advance(upload_id, token, 0, n + 1))) == {True: 1, False: WRITERS - 1}


def test_a_bundle_sent_to_many_cases_at_the_same_moment_counts_in_one(bench: Bench) -> None:
    cases = [bench.open_case(SERIAL).case for _ in range(WRITERS)]
    device = bench.device(SERIAL)
    bench.enrol(device, cases[0].rma)
    content = device.bundle(None).path.read_bytes()
    locations = [bench.create(case.rma, SERIAL, content).headers["location"] for case in cases]
    sent = at_once(lambda n: bench.append(locations[n], 0, content).status_code)
    assert sent == [204] * WRITERS
    receipts = [bench.receipt(location).status_code for location in locations]
    assert Counter(receipts) == {200: 1, 422: WRITERS - 1}
    assert len(bench.storage.stored(bench.receiver.settings.data)) == 1


def test_a_whole_upload_is_judged_once_however_many_ask(bench: Bench) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    content = device.bundle(case.rma, bench.nonce(device, case.rma)).path.read_bytes()
    location = bench.create(case.rma, SERIAL, content).headers["location"]
    upload_id = location.rpartition("/")[2]
    bench.receiver.uploads.path(upload_id).write_bytes(content)
    with bench.receiver.db.write() as session:
        session.get_one(Upload, upload_id).offset = len(content)
    asked = Counter(at_once(lambda _: bench.receipt(location).status_code))
    assert set(asked) <= {200, 409}
    assert asked[200] >= 1
    with bench.receiver.db.read() as session:
        [bundle] = session.scalars(select(Bundle)).all()
        assert (bundle.state, bundle.fresh) == ("accepted", True)


def test_text_that_a_database_cannot_hold_is_kept_without_that(bench: Bench) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    bench.enrol(device, case.rma)
    with bench.receiver.db.write() as session:
        session.get_one(Case, case.id).words = "a\x00b\ud800c"
    with bench.receiver.db.read() as session:
        assert session.get_one(Case, case.id).words == "a\ufffdb?c"
        assert session.scalar(select(Case).where(Case.symptom == "\x00")) is None
    strange = device.bundle(case.rma, "nonce\x00")
    location = bench.upload(case.rma, SERIAL, strange.path.read_bytes())
    assert bench.receipt(location).status_code == 422
    assert bench.http.head(location, headers=TUS).status_code == 200


def test_connections_that_the_server_ended_are_made_anew(bench: Bench, storage: Storage) -> None:
    if not storage.database:
        pytest.skip("SQLite has none")
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    content = device.bundle(case.rma, bench.nonce(device, case.rma)).path.read_bytes()
    location = bench.create(case.rma, SERIAL, content).headers["location"]
    half = len(content) // 2
    for offset, part in ((0, content[:half]), (half, content[half:])):
        with pytest.raises(DBAPIError), bench.receiver.db.write() as session:
            session.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()")
            )
        assert bench.append(location, offset, part).status_code == 204
    assert bench.receipt(location).status_code == 200
