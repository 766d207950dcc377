"""How fast the journal takes records. Reported, not asserted; the aim is 5 000 records/s without fsync."""

from __future__ import annotations

import itertools
import os

import pytest

from agent.journal import Journal, RunStore, read
from agent.model import Evidence, RunVerdict, ocp
from agent.model.run_view import RunView
from tests import runs

pytestmark = pytest.mark.benchmark_only

BATCH = 1000


@pytest.fixture
def journal(tmp_path):
    with Journal.create(tmp_path / "run") as journal:
        yield journal


@pytest.fixture(scope="module")
def long_run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("long") / "run"
    with Journal.create(directory) as journal:
        journal.append(runs.run_start(), ocp.step_start("thermals", "thermals"))
        for _ in range(10):
            journal.append(*[ocp.measurement("thermals", runs.temperature(63.5))] * BATCH)
    return directory


def per_record(benchmark, records: int) -> int:
    rate = round(records / benchmark.stats.stats.median)
    benchmark.extra_info["records_per_s"] = rate
    return rate


def test_one_record_at_a_time(benchmark, report, journal):
    def work() -> None:
        for i in range(BATCH):
            journal.append(ocp.measurement("thermals", runs.temperature(i / 8)))

    benchmark(work)
    report("journal, one record at a time", f"{per_record(benchmark, BATCH)} records/s", "5000 records/s at least")
    assert len(list(read(journal.directory / "journal.jsonl"))) % BATCH == 1


def test_all_records_at_once(benchmark, journal):
    benchmark(lambda: journal.append(*(ocp.measurement("thermals", runs.temperature(i / 8)) for i in range(BATCH))))
    per_record(benchmark, BATCH)


def test_a_record_and_a_sync(benchmark, journal):
    """What the start of a step costs; depends on the disk."""

    def work() -> None:
        journal.append(ocp.step_start("storage", "storage"))
        journal.sync()

    benchmark(work)
    assert journal.syncs > 1


@pytest.mark.parametrize("size", [4_000, 1_000_000])
def test_an_attachment(benchmark, journal, size):
    text = b"".join(b"[%12.6f] kernel: %s\n" % (i / 7, os.urandom(9).hex().encode()) for i in range(size // 40))
    benchmark(lambda: journal.attach("klog", Evidence("klog", "", text, "journalctl -k", runs.TIME)))


def test_reading(benchmark, long_run):
    benchmark(lambda: sum(1 for _ in read(long_run / "journal.jsonl")))
    per_record(benchmark, 10 * BATCH)


def test_viewing(benchmark, long_run):
    view = benchmark(lambda: RunView.from_records(read(long_run / "journal.jsonl")))
    per_record(benchmark, 10 * BATCH)
    assert len(view.readings) == 10 * BATCH


def test_reopening(benchmark, long_run):
    def work() -> int:
        journal, found = Journal.reopen(long_run)
        journal.close()
        return found.records

    assert benchmark(work) == 10 * BATCH + 3
    per_record(benchmark, 10 * BATCH)


def test_looking_for_open_runs_among_300(benchmark, tmp_path):
    store = RunStore(tmp_path)
    for minute, second in itertools.product(range(5), range(60)):
        with Journal.create(tmp_path / "runs" / f"20261123T14{minute:02}{second:02}Z-7f3a") as journal:
            journal.append(*[ocp.measurement("thermals", runs.temperature(63.5))] * 300)
            journal.append(ocp.run_end(RunVerdict.PASS, complete=True))
    assert benchmark(store.open_runs) == []
