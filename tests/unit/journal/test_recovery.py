"""What becomes of a run after its writer was cut off."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.journal import Journal, JournalDamaged, JournalError, Recovery, read
from agent.model import ocp
from agent.model.run_view import RunView
from tests import runs


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A run that was left in its first step."""
    with Journal.create(tmp_path / "run") as journal:
        journal.append(runs.run_start())
        journal.append(ocp.step_start("storage", "storage"))
        journal.append(ocp.measurement("storage", runs.media_errors(3)))
    return tmp_path / "run"


def records(directory: Path) -> list:
    return list(read(directory / "journal.jsonl"))


def damage(directory: Path, change) -> bytes:
    path = directory / "journal.jsonl"
    path.write_bytes(change(path.read_bytes()))
    return path.read_bytes()


def test_an_intact_run_goes_on(directory):
    journal, found = Journal.reopen(directory)
    with journal:
        assert found == Recovery(torn=b"", set_aside=None, records=4, open_steps=("storage",), ended=False)
        assert journal.append(ocp.step_start("thermals", "thermals")) == [4]
    assert [r["sequenceNumber"] for r in records(directory)] == [0, 1, 2, 3, 4]


def test_open_steps_are_those_without_an_end(tmp_path):
    with Journal.create(tmp_path / "run") as journal:
        pieces = runs.write(journal)
        for _ in range(8):
            next(pieces)
    journal, found = Journal.reopen(tmp_path / "run")
    with journal:
        assert (found.open_steps, found.ended) == (("thermals",), False)
    with Journal.create(tmp_path / "whole") as journal:
        for _ in runs.write(journal):
            pass
    journal, found = Journal.reopen(tmp_path / "whole")
    with journal:
        assert (found.open_steps, found.ended, found.records) == ((), True, 18)


def test_a_torn_line_is_cut_off_and_reported(directory):
    whole = records(directory)
    damage(directory, lambda data: data + '{"sequenceNumber":4,"timest 電'.encode()[:-1])
    assert records(directory) == whole
    journal, found = Journal.reopen(directory)
    with journal:
        assert found.torn == '{"sequenceNumber":4,"timest 電'.encode()[:-1]
        assert (found.records, found.set_aside) == (4, None)
        assert journal.append(ocp.run_log("INFO", "on")) == [4]
    assert records(directory)[:4] == whole


@pytest.mark.parametrize("rest", [bytes(1), bytes(4096), b'{"sequenceNumber":4,' + bytes(701)])
def test_zero_bytes_at_the_end_are_cut_off_like_a_torn_line(directory, rest):
    """As a reset left them on ext4: the file had grown, and its last block was not written yet."""
    whole = records(directory)
    damage(directory, lambda data: data + rest)
    assert records(directory) == whole
    journal, found = Journal.reopen(directory)
    with journal:
        assert (found.torn, found.records, found.set_aside) == (rest, 4, None)
        assert journal.append(ocp.run_log("INFO", "on")) == [4]
    assert records(directory)[:4] == whole


def test_what_a_reopened_journal_holds_is_not_yet_taken_for_durable(directory):
    journal, _ = Journal.reopen(directory)
    with journal:
        journal.sync()
        journal.sync()
        assert journal.syncs == 1


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda d: d.replace(b"testRunStart", b"testRun\xffStart"), "line 2: not UTF-8"),
        (lambda d: d.replace(b'"media_errors', b'"media\nerrors').replace(b'count"', b'count" NaN'), "line 4: "),
        (lambda d: b"garbage\n" + d, "line 1: "),
        (lambda d: d + b"[]\n", "line 5: not an object"),
        (lambda d: d + d.splitlines(keepends=True)[-1], "line 5: sequence number 3 instead of 4"),
        (lambda d: b"".join(d.splitlines(keepends=True)[:2] + d.splitlines(keepends=True)[3:]), "line 3: sequence"),
        (lambda d: d.replace(b'Number":3', b'Number":true'), "line 4: sequence number True instead of 3"),
        (lambda d: d.replace(b'"value":3', b'"value":NaN'), "line 4: a number is not finite"),
        (lambda d: d.replace(b'"value":3', b'"value":-Infinity'), "line 4: a number is not finite"),
        (lambda d: d.replace(b'"value":3', b'"value":1e999'), "line 4: a number is not finite"),
        (lambda d: d.replace(b'"value":3', b'"value":3,"value":4'), "line 4: an object names a member twice"),
        (lambda d: d.replace(b'"value":3', b'"value":' + b"[" * 100_000), "line 4: nested too deeply"),
        (lambda d: d.replace(b"testStepArtifact", b"testStepArtefact"), "line 3: unknown kind of record"),
        (lambda d: d.replace(b'{"major":2', b'{"major":3'), "line 1: version 3 instead of 2"),
        (lambda d: d.replace(b'"timestamp"', b'"timestomp"'), "line 1: no timestamp"),
        (lambda d: d + b'{"sequenceNumber":4,"timestamp":"2026-11-23T14:22:33Z","testRunArtifact":3}\n', "no content"),
        (lambda d: d + bytes(4096) + d.splitlines(keepends=True)[-1], "line 5: "),
        (lambda d: d[:700] + bytes(100) + d[800:], "line 2: "),
        (lambda d: bytes(len(d)), "line 1: zero bytes"),
        (lambda d: d + b"x" * (5 * 1024 * 1024), "line 5: longer than"),
    ],
)
def test_worse_damage_sets_the_whole_file_aside(directory, change, what):
    damaged = damage(directory, change)
    with pytest.raises(JournalDamaged, match=what):
        records(directory)
    journal, found = Journal.reopen(directory)
    with journal:
        aside = directory / "journal.damaged-1.jsonl"
        assert found == Recovery(torn=b"", set_aside=aside, records=0, open_steps=(), ended=False)
        assert aside.read_bytes() == damaged
        assert journal.append(ocp.run_log("INFO", "on")) == [2]
    first, explained, _ = records(directory)
    assert "schemaVersion" in first
    assert explained["testRunArtifact"]["error"]["symptom"] == "journal-damaged"
    assert what in explained["testRunArtifact"]["error"]["message"]
    assert "journal.damaged-1.jsonl" in explained["testRunArtifact"]["error"]["message"]


def test_a_reader_gives_all_before_the_damage(directory):
    damage(directory, lambda data: data + b"?\n")
    taken = []
    with pytest.raises(JournalDamaged) as damaged:
        taken.extend(read(directory / "journal.jsonl"))
    assert damaged.value.line == 5
    lazily = read(directory / "journal.jsonl")
    assert [next(lazily)["sequenceNumber"] for _ in range(4)] == [0, 1, 2, 3]


def test_nothing_that_was_set_aside_is_ever_overwritten(directory):
    for _ in range(3):
        damage(directory, lambda data: b"?\n" + data)
        Journal.reopen(directory)[0].close()
    (directory / "journal.damaged-2.jsonl").rename(directory / "kept")
    damage(directory, lambda data: b"!\n" + data)
    Journal.reopen(directory)[0].close()
    damage(directory, lambda data: b"#\n" + data)
    _, found = Journal.reopen(directory)
    assert found.set_aside == directory / "journal.damaged-4.jsonl"
    starts = {p.name: p.read_bytes()[:1] for p in directory.glob("journal.damaged-*")}
    assert sorted(starts.values()) == [b"!", b"#", b"?", b"?"]


def test_killed_between_setting_aside_and_beginning_again(directory):
    os.rename(directory / "journal.jsonl", directory / "journal.damaged-1.jsonl")
    journal, found = Journal.reopen(directory)
    with journal:
        assert found.set_aside == directory / "journal.damaged-1.jsonl"
    assert "journal.damaged-1.jsonl" in records(directory)[1]["testRunArtifact"]["error"]["message"]


def test_killed_before_the_journal_was_made(tmp_path):
    (tmp_path / "run").mkdir(mode=0o700)
    journal, found = Journal.reopen(tmp_path / "run")
    with journal:
        assert found == Recovery(torn=b"", set_aside=None, records=0, open_steps=(), ended=False)
        assert journal.append(runs.run_start()) == [1]


def test_no_directory_is_said_so(tmp_path):
    with pytest.raises(JournalError, match="No such file or directory"):
        Journal.reopen(tmp_path / "nothing")
    assert list(tmp_path.iterdir()) == []


def test_something_else_in_the_journal_s_place_neither_hangs_nor_crashes(tmp_path):
    (tmp_path / "run").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "run" / "journal.jsonl")
    with pytest.raises(JournalError, match="not a plain file"):
        Journal.reopen(tmp_path / "run")
    os.unlink(tmp_path / "run" / "journal.jsonl")
    os.mkdir(tmp_path / "run" / "journal.jsonl")
    with pytest.raises(JournalError):
        Journal.reopen(tmp_path / "run")


def test_a_journal_reads_from_an_open_file_as_from_a_path(directory):
    with open(directory / "journal.jsonl", "rb") as file:
        assert list(read(file)) == records(directory)
    assert RunView.from_records(records(directory)).steps["storage"].readings == {3: runs.media_errors(3)}
