"""What a journal promises while nothing goes wrong, and to whom it says no."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import os
import stat
import threading
from pathlib import Path

import pytest

from agent.journal import Journal, JournalError, read
from agent.journal.attachments import COMPRESS_FROM
from agent.journal.reader import RECORD_CAP
from agent.model import Evidence, Text, ocp
from agent.model.run_view import RunView
from tests import runs
from tests.ocp import validate_lines


def evidence(data: bytes, kind: str = "klog", subject: str = "") -> Evidence:
    return Evidence(kind=kind, subject=subject, data=data, source="journalctl -k", time=runs.TIME)


def log(message: str) -> ocp.Artifact:
    return ocp.run_log("INFO", message)


@pytest.fixture
def journal(tmp_path: Path):
    with Journal.create(tmp_path / "run") as journal:
        yield journal


def records(journal: Journal) -> list:
    return list(read(journal.directory / "journal.jsonl"))


def test_every_line_of_a_run_is_ocp(journal, shared):
    for _ in runs.write(journal):
        pass
    assert validate_lines(journal.directory / "journal.jsonl", shared) == 18


def test_the_judge_of_lines_can_say_no(journal, shared):
    journal.append({"testRunArtifact": {"log": {"severity": "LOUD", "message": "x"}}})
    with pytest.raises(pytest.fail.Exception, match="line 2"):
        validate_lines(journal.directory / "journal.jsonl", shared)


def test_sequence_numbers_and_times(journal):
    assert journal.append(log("a"), log("b")) == [1, 2]
    assert journal.append() == []
    assert journal.append(log("c")) == [3]
    written = records(journal)
    assert [r["sequenceNumber"] for r in written] == [0, 1, 2, 3]
    times = [r["timestamp"] for r in written]
    assert times == sorted(times)
    assert all(len(t) == len(runs.TIME) and t.endswith("Z") for t in times)


def test_one_write_for_all_records(journal, monkeypatch):
    writes = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: writes.append(fd) or write(fd, data))
    journal.append(*(log(str(i)) for i in range(50)))
    assert len(writes) == 1


def test_a_directory_and_files_for_this_user_only(tmp_path):
    old = os.umask(0)
    try:
        with Journal.create(tmp_path / "new" / "runs" / "run") as journal:
            journal.attach("log", evidence(b"x"))
    finally:
        os.umask(old)
    modes = {p.name: stat.S_IMODE(p.lstat().st_mode) for p in (tmp_path / "new").rglob("*")}
    assert modes == {"runs": 0o700, "run": 0o700, "journal.jsonl": 0o600, "attachments": 0o700, "log-klog.txt": 0o600}


def test_create_refuses_a_directory_with_a_journal(journal):
    with pytest.raises(FileExistsError):
        Journal.create(journal.directory)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({}, "unknown kind of record"),
        ({"schemaVersion": {"major": 2, "minor": 0}}, "unknown kind of record"),
        ({"testRunArtifact": {}, "testStepArtifact": {}}, "unknown kind of record"),
        ({"testRunArtifact": {}, "sequenceNumber": 7}, "sequence number 7 instead of 2"),
        ({"testRunArtifact": []}, "no content"),
        (log(math.nan), "Out of range float"),
        (log(math.inf), "Out of range float"),
        (log(b"bytes"), "not JSON: .*bytes"),
        (log(10**5000), "Exceeds the limit"),
        (log({1: "twice", "1": "twice"}), "an object names a member twice"),
        (log("x" * RECORD_CAP), "at most 4194304 are allowed"),
    ],
)
def test_what_no_reader_would_take_is_refused_whole(journal, bad, why):
    with pytest.raises(ValueError, match=why):
        journal.append(log("before"), bad)
    assert journal.append(log("after")) == [1]
    assert len(records(journal)) == 2


def test_self_containing_and_bottomless_artifacts_are_refused(journal):
    circle: dict = {}
    circle["circle"] = circle
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    for bad in (circle, deep):
        with pytest.raises(ValueError, match=r"Circular reference|not JSON: maximum recursion depth"):
            journal.append(log(bad))
    assert len(records(journal)) == 1


def test_odd_text_stays_one_line_of_utf8(journal):
    text = 'line\nfeed \r \0 \x85 \u2028 "quote" \\ 電腦 🖥'
    journal.append(log(text))
    raw = (journal.directory / "journal.jsonl").read_bytes()
    assert raw.count(b"\n") == 2
    assert "電腦 🖥".encode() in raw
    assert records(journal)[1]["testRunArtifact"]["log"]["message"] == text


def test_half_a_surrogate_pair_becomes_a_replacement_character(journal):
    journal.append(log({os.fsdecode(b"caf\xe9"): "\ud83d", os.fsdecode(b"caf\xe8"): "\udcff"}))
    assert records(journal)[1]["testRunArtifact"]["log"]["message"] == {"caf\ufffd": "\ufffd"}


def test_threads_share_one_sequence(journal):
    def work(name: str) -> None:
        for i in range(200):
            journal.append(log(f"{name} {i}"), log(f"{name} {i} again"))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    messages = [r["testRunArtifact"]["log"]["message"] for r in records(journal)[1:]]
    assert len(messages) == 1600
    assert all(second == f"{first} again" for first, second in zip(messages[::2], messages[1::2], strict=True))


def test_attachments_are_recorded_as_they_are_stored(journal):
    data = [b"", b"\xff\0raw", b"x" * (COMPRESS_FROM - 1), b"x" * COMPRESS_FROM, b"second"]
    sequence = [journal.attach("log", evidence(d)) for d in data]
    assert sequence == [1, 2, 3, 4, 5]
    files = RunView.from_records(records(journal)).steps["log"].files
    assert [f["uri"].removeprefix("attachments/") for f in files] == [
        "log-klog.txt",
        "log-klog-2.txt",
        "log-klog-3.txt",
        "log-klog-4.txt.gz",
        "log-klog-5.txt",
    ]
    for file, expected in zip(files, data, strict=True):
        stored = (journal.directory / file["uri"]).read_bytes()
        assert file["metadata"]["sha256"] == hashlib.sha256(stored).hexdigest()
        assert file["metadata"]["size"] == len(stored)
        assert (gzip.decompress(stored) if file["uri"].endswith(".gz") else stored) == expected
        assert Evidence.from_header(file["metadata"], expected) == evidence(expected)


def test_compression_gives_the_same_bytes_each_time(tmp_path, monkeypatch):
    stored = []
    for name, clock in (("a", 1e9), ("b", 2e9)):
        monkeypatch.setattr("time.time", lambda clock=clock: clock)
        with Journal.create(tmp_path / name) as journal:
            journal.attach("log", evidence(os.urandom(10) * 0 + b"abc" * COMPRESS_FROM))
            stored.append((journal.directory / "attachments" / "log-klog.txt.gz").read_bytes())
    assert stored[0] == stored[1]


def test_names_stay_apart_without_case_and_after_a_restart(journal):
    journal.attach("log", evidence(b"1", subject="SDA"))
    journal.attach("log", evidence(b"2" * COMPRESS_FROM, subject="sda"))
    journal.close()
    with Journal.reopen(journal.directory)[0] as again:
        again.attach("log", evidence(b"3", subject="Sda"))
    names = {p.name for p in (journal.directory / "attachments").iterdir()}
    assert names == {"log-klog-SDA.txt", "log-klog-sda-2.txt.gz", "log-klog-Sda-3.txt"}


def test_a_subject_cannot_lead_out_of_the_directory(journal):
    journal.attach("log", evidence(b"x", kind="..", subject="../../../etc/passwd\0\n"))
    (file,) = (journal.directory / "attachments").iterdir()
    assert file.read_bytes() == b"x"


def test_sync_goes_to_the_disk_only_for_something_new(journal, monkeypatch):
    flushed: list[str] = []

    def spy(name):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda fd: (flushed.append(os.readlink(f"/proc/self/fd/{fd}")), real(fd))[1])

    spy("fsync")
    spy("fdatasync")
    run = str(journal.directory)
    journal.sync()
    assert flushed == [run, f"{run}/journal.jsonl"]
    journal.sync()
    journal.append()
    journal.sync()
    assert len(flushed) == 2
    journal.append(log("a"))
    journal.append(log("b"))
    journal.sync()
    assert flushed[2:] == [f"{run}/journal.jsonl"]
    journal.attach("log", evidence(b"x"))
    journal.sync()
    assert flushed[3:] == [f"{run}/journal.jsonl"]
    journal.append(log("c"))
    journal.settle()
    assert flushed[4:] == [f"{run}/attachments/log-klog.txt", f"{run}/attachments", run, f"{run}/journal.jsonl"]
    assert journal.syncs == 4


def test_a_great_many_attachments_need_few_descriptors(journal):
    before = len(os.listdir("/proc/self/fd"))
    for i in range(300):
        journal.attach("log", evidence(b"%d" % i))
    assert len(os.listdir("/proc/self/fd")) - before < 100
    journal.settle()
    assert len(os.listdir("/proc/self/fd")) - before <= 1
    assert len(records(journal)) == 301


def test_close_gives_everything_back(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    with Journal.create(tmp_path / "run") as journal:
        journal.attach("log", evidence(b"x"))
    journal.close()
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(JournalError, match="closed"):
        journal.append(log("late"))
    with pytest.raises(JournalError, match="closed"):
        journal.attach("log", evidence(b"late"))
    assert [p.name for p in (tmp_path / "run" / "attachments").iterdir()] == ["log-klog.txt"]


def test_the_second_writer_is_told(journal):
    with pytest.raises(JournalError) as refused:
        Journal.reopen(journal.directory)
    assert refused.value.reason == Text("in use by another process: {path}", {"path": str(journal.directory)})
    assert journal.append(log("undisturbed")) == [1]


def test_a_journal_of_another_user_s_directory_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    with pytest.raises(JournalError, match="other users can write here"):
        Journal.create(tmp_path / "run")
    if os.geteuid() == 0:
        (tmp_path / "run").chmod(0o700)
        os.chown(tmp_path / "run", 65534, 65534)
        with pytest.raises(JournalError, match="other users can write here"):
            Journal.create(tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def test_planted_links_lead_nowhere(tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("precious")
    (tmp_path / "linked").symlink_to(victim)
    with pytest.raises(JournalError):
        Journal.create(tmp_path / "linked")
    run = tmp_path / "run"
    run.mkdir(mode=0o700)
    (run / "journal.jsonl").symlink_to(victim / "file")
    with pytest.raises(FileExistsError):
        Journal.create(run)
    with pytest.raises(JournalError):
        Journal.reopen(run)
    (run / "journal.jsonl").unlink()
    (run / "attachments").symlink_to(victim)
    with Journal.create(run) as journal, pytest.raises(JournalError):
        journal.attach("log", evidence(b"x"))
    assert [p.read_text() for p in victim.iterdir()] == ["precious"]


def test_the_file_is_json_lines_in_the_documented_order(journal):
    line = (journal.directory / "journal.jsonl").read_text()
    assert line.startswith('{"sequenceNumber":0,"timestamp":"')
    assert json.loads(line)["schemaVersion"] == {"major": 2, "minor": 0}
