"""Disks that are full, sick or slow, interrupts in the wrong moment, and children of the writer."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.journal import Journal, JournalError, read
from agent.model import Evidence, ocp
from tests import runs
from tests.unit.journal.test_writer import evidence, log, records


@pytest.fixture
def journal(tmp_path: Path):
    with Journal.create(tmp_path / "run") as journal:
        yield journal


@contextlib.contextmanager
def file_limit(size: int) -> Iterator[None]:
    """No file may grow beyond ``size`` bytes: the kernel writes up to it and refuses the rest, like a full disk.

    Only around the call under test: pytest's own output may be such a file.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def sick(monkeypatch, name: str, number: int, times: int = 1) -> None:
    """The next ``times`` calls of ``os.NAME`` fail with an errno, as those of a failing disk do."""
    real, left = getattr(os, name), [times]

    def call(*args, **kwargs):
        if left[0]:
            left[0] -= 1
            raise OSError(number, os.strerror(number))
        return real(*args, **kwargs)

    monkeypatch.setattr(os, name, call)


def test_a_full_disk_loses_nothing_and_is_no_end(journal):
    path = journal.directory / "journal.jsonl"
    journal.append(log("before"))
    size = path.stat().st_size
    for room in (0, 1, 50, 150):
        with file_limit(size + room), pytest.raises(JournalError, match="the disk is full: "):
            journal.append(log("first of two"), log("電腦" * 50))
        assert path.stat().st_size == size
    assert journal.append(log("after")) == [2]
    journal.sync()
    assert [r["testRunArtifact"]["log"]["message"] for r in records(journal)[1:]] == ["before", "after"]


def test_an_attachment_that_does_not_fit_leaves_nothing(journal):
    with file_limit(8192):
        with pytest.raises(JournalError, match="the disk is full: "):
            journal.attach("log", evidence(os.urandom(20_000)))
        assert list((journal.directory / "attachments").iterdir()) == []
        assert journal.attach("log", evidence(b"fits")) == 1


def test_an_attachment_without_room_for_its_record_is_taken_back(journal):
    size = (journal.directory / "journal.jsonl").stat().st_size
    with file_limit(size + 10), pytest.raises(JournalError, match="the disk is full: "):
        journal.attach("log", evidence(b"x"))
    assert list((journal.directory / "attachments").iterdir()) == []
    assert len(records(journal)) == 1


def test_a_run_that_cannot_begin_leaves_no_journal(tmp_path):
    with file_limit(20), pytest.raises(JournalError, match="the disk is full: "):
        Journal.create(tmp_path / "run")
    Journal.create(tmp_path / "run").close()


def test_short_writes_are_written_to_the_end(journal, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:7]))
    journal.append(log("電腦"), log("b"))
    assert [r["testRunArtifact"]["log"]["message"] for r in records(journal)[1:]] == ["電腦", "b"]


def test_a_write_that_never_gets_on_does_not_hang(journal, monkeypatch):
    monkeypatch.setattr(os, "write", lambda _fd, _data: 0)
    with pytest.raises(JournalError, match="the disk reported an error: "):
        journal.append(log("a"))


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EIO, "the disk reported an error: "),
        (errno.EROFS, "the file system is read-only: "),
        (errno.ENOSPC, "the disk is full: "),
        (errno.EDQUOT, "the disk is full: "),
        (errno.ENODEV, "could not be written: .*: No such device"),
    ],
)
def test_each_failure_has_its_words(journal, monkeypatch, number, reason):
    sick(monkeypatch, "write", number)
    with pytest.raises(JournalError, match=reason):
        journal.append(log("a"))
    assert journal.append(log("b")) == [1]


def test_an_interrupt_in_mid_record_leaves_no_half_of_it(journal, monkeypatch):
    write = os.write

    def interrupted(fd, data):
        write(fd, data[: len(data) // 2])
        monkeypatch.setattr(os, "write", write)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        journal.append(log("a"), log("b"))
    assert journal.append(log("c")) == [1]
    assert len(records(journal)) == 2


def test_a_rest_that_could_not_be_cut_off_at_once_is_cut_off_before_the_next_record(journal, monkeypatch):
    write = os.write

    def half(fd, data):
        write(fd, data[:40])
        raise OSError(errno.EIO, "sick")

    monkeypatch.setattr(os, "write", half)
    sick(monkeypatch, "ftruncate", errno.EIO, times=2)
    for _ in range(2):  # the second attempt cannot even begin
        with pytest.raises(JournalError, match="the disk reported an error: "):
            journal.append(log("a"))
    monkeypatch.setattr(os, "write", write)
    assert len(records(journal)) == 1
    assert journal.append(log("b")) == [1]
    assert len(records(journal)) == 2


@pytest.mark.parametrize("call", ["fdatasync", "fsync"])
def test_a_failed_sync_is_never_taken_for_done(journal, monkeypatch, call):
    journal.attach("log", evidence(b"x"))
    sick(monkeypatch, call, errno.EIO)
    for _ in range(2):
        with pytest.raises(JournalError, match="the disk reported an error: "):
            journal.sync()
    assert journal.append(log("still written")) == [2]
    journal.close()
    with Journal.reopen(journal.directory)[0] as again:
        again.sync()


def test_an_early_sync_of_many_attachments_that_fails_is_told_when_it_is_settled(journal, monkeypatch):
    sick(monkeypatch, "fdatasync", errno.EIO)
    for i in range(70):
        journal.attach("log", evidence(b"%d" % i))
    with pytest.raises(JournalError, match="the disk reported an error: "):
        journal.settle()


def test_a_journal_with_an_unreadable_sector_is_set_aside(tmp_path, monkeypatch):
    Journal.create(tmp_path / "run").close()

    def unreadable(file):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("agent.journal.recovery.scan", unreadable)
    journal, found = Journal.reopen(tmp_path / "run")
    with journal:
        assert found.set_aside == tmp_path / "run" / "journal.damaged-1.jsonl"


def in_child(work) -> int:
    """Run ``work`` in a forked child; returns its exit status."""
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            status = work()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def open_files() -> set[str]:
    links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    return {os.readlink(link) for link in links if os.path.lexists(link)}


def test_a_child_has_no_part_in_the_journal(journal):
    journal.append(log("parent"))
    assert f"{journal.directory}/journal.jsonl" in open_files()

    def work() -> int:
        if any(name.startswith(str(journal.directory)) for name in open_files()):
            return 1
        try:
            journal.append(log("child"))
        except JournalError:
            journal.close()
            return 0
        return 2

    assert in_child(work) == 0
    with pytest.raises(JournalError, match="in use"):
        Journal.reopen(journal.directory)
    assert journal.append(log("parent")) == [2]
    assert len(records(journal)) == 3


def test_a_child_that_outlives_its_parent_does_not_keep_the_lock(tmp_path):
    read_end, write_end = os.pipe()
    release, hold = os.pipe()

    def parent() -> int:
        Journal.create(tmp_path / "run")
        if os.fork() == 0:  # the grandchild waits until the test is done
            os.close(hold)
            os.write(write_end, b"%d" % os.getpid())
            os.read(release, 1)
            os._exit(0)
        return 0

    try:
        assert in_child(parent) == 0
        os.kill(int(os.read(read_end, 20)), 0)  # it is there
        with Journal.reopen(tmp_path / "run")[0] as journal:
            assert journal.append(log("on")) == [1]
    finally:
        for fd in (read_end, write_end, release, hold):
            os.close(fd)


def test_a_fork_while_another_thread_writes(journal):
    journal._lock.acquire()  # as the other thread has it in the moment of the fork
    try:
        assert in_child(lambda: 0 if journal._closed else 1) == 0
    finally:
        journal._lock.release()
    assert journal.append(log("on")) == [1]


def test_the_records_survive_a_real_run_s_odd_evidence(journal):
    odd = Evidence("klog", os.fsdecode(b"caf\xe9"), b"\x00\xff", os.fsdecode(b"/dev/\xff"), runs.TIME)
    journal.attach("log", odd)
    journal.append(ocp.step_error("log", "crashed", os.fsdecode(b"\xff")))
    assert len(list(read(journal.directory / "journal.jsonl"))) == 3
