"""Cuts, kills, flips and full disks: what a journal holds, it keeps."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.journal import Journal, JournalError, read
from agent.model import Evidence, ocp
from tests import runs

pytestmark = pytest.mark.adversarial

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    """The journal of a realistic run, whole."""
    directory = tmp_path_factory.mktemp("whole") / "run"
    with Journal.create(directory) as journal:
        for _ in runs.write(journal):
            pass
    return (directory / "journal.jsonl").read_bytes()


def left_behind(directory: Path, data: bytes) -> Path:
    """A run directory whose journal is ``data``."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    (directory / "journal.jsonl").write_bytes(data)
    return directory / "journal.jsonl"


def test_a_cut_at_every_byte(whole, tmp_path):
    directory = tmp_path / "run"
    records = list(read(left_behind(directory, whole)))
    for cut in range(len(whole) + 1):
        path = left_behind(directory, whole[:cut])
        kept = whole[:cut].count(b"\n")
        assert list(read(path)) == records[:kept]
        journal, found = Journal.reopen(directory)
        with journal:
            assert found.set_aside is None
            assert found.records == kept
            assert found.torn == whole[:cut].rpartition(b"\n")[2]
            assert journal.append(ocp.run_log("INFO", "on 繼續")) == [max(kept, 1)]
        again = list(read(path))
        assert again[:kept] == records[:kept]
        assert [r["sequenceNumber"] for r in again] == list(range(max(kept, 1) + 1))
        assert again[-1]["testRunArtifact"]["log"]["message"] == "on 繼續"


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80, 0xFF], ids=hex)
def test_a_flipped_byte_at_every_position(whole, tmp_path, flip):
    """Nothing is deleted: what is no longer in the journal was set aside, or is the reported torn tail."""
    directory = tmp_path / "run"
    for position in range(len(whole)):
        flipped = bytearray(whole)
        flipped[position] ^= flip
        path = left_behind(directory, bytes(flipped))
        journal, found = Journal.reopen(directory)
        with journal:
            (sequence,) = journal.append(ocp.run_log("INFO", "on"))
        if found.set_aside is None:
            assert path.read_bytes().startswith(flipped.removesuffix(found.torn))
            assert sequence == found.records
        else:
            assert found.set_aside.read_bytes() == flipped
            assert sequence == 2
        assert [r["sequenceNumber"] for r in read(path)] == list(range(sequence + 1))


CHILD = """
import os, sys
from pathlib import Path
from agent.journal import Journal
from tests import runs

sys.stdin.readline()
with Journal.create(Path(sys.argv[1])) as journal:
    for i, sequences in enumerate(runs.write(journal)):
        synced = i % 3 == 2
        if synced:
            journal.sync()
        print(sequences[-1], int(synced), flush=True)
        sys.stdin.readline()
"""

PIECES = 12


@pytest.mark.parametrize("acknowledged", range(1, PIECES + 1))
def test_kill_9_at_every_record_boundary(tmp_path, acknowledged):
    """The child writes one piece for each line that it is sent, and is killed after it told of ``acknowledged``."""
    directory = tmp_path / "run"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    try:
        for _ in range(acknowledged):
            child.stdin.write(b"\n")
            child.stdin.flush()
            last, synced = map(int, child.stdout.readline().split())
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=10)
    assert child.returncode == -signal.SIGKILL
    assert synced == (acknowledged % 3 == 0)
    records = list(read(directory / "journal.jsonl"))
    assert [r["sequenceNumber"] for r in records] == list(range(last + 1))
    journal, found = Journal.reopen(directory)
    with journal:
        assert (found.records, found.torn, found.set_aside) == (last + 1, b"", None)
        assert found.ended == (acknowledged == PIECES)
        assert journal.append(ocp.run_log("INFO", "on")) == [last + 1]
    assert list(read(directory / "journal.jsonl"))[:-1] == records


def test_kill_9_in_the_midst_of_writing(tmp_path):
    """Killed at moments that nobody chose: all that was acknowledged is there, and at most the next batch besides."""
    script = CHILD.split("with Journal", maxsplit=1)[0] + (
        "journal = Journal.create(Path(sys.argv[1]))\n"
        "while True:\n"
        "    print(journal.append(*[runs.run_start()] * 100)[-1], flush=True)\n"
    )
    for i in range(10):
        directory = tmp_path / str(i)
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )
        child.stdin.write(b"\n")
        child.stdin.flush()
        for _ in range(1 + 7 * i):
            last = int(child.stdout.readline())
        child.kill()
        for line in child.communicate(timeout=10)[0].splitlines():
            last = int(line)
        journal, found = Journal.reopen(directory)
        with journal:
            assert found.set_aside is None
            assert last + 1 <= found.records <= last + 101
            assert journal.append(ocp.run_log("INFO", "on")) == [found.records]


@pytest.fixture(params=["tmpfs", "ext4"])
def small_disk(request, tmp_path):
    """A real file system of a few MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    mount_point = tmp_path / "disk"
    mount_point.mkdir()
    if request.param == "tmpfs":
        command = ["/usr/bin/mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "none", mount_point]
    else:
        if shutil.which("mkfs.ext4", path="/usr/sbin:/sbin") is None:
            pytest.skip("mkfs.ext4 is not installed")
        image = tmp_path / "image"
        with open(image, "wb") as file:
            file.truncate(4 * 1024 * 1024)
        subprocess.run(["/usr/sbin/mkfs.ext4", "-q", "-m", "0", image], check=True)
        command = ["/usr/bin/mount", "-o", "loop", image, mount_point]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.strip()}")
    yield mount_point
    subprocess.run(["/usr/bin/umount", mount_point], check=True)


def fill(journal: Journal) -> int:
    """Append until there is no room; returns the last sequence number."""
    written = 0
    for i in range(10_000):
        try:
            (written,) = journal.append(ocp.run_log("INFO", f"{i} " + "電腦" * 150))
        except JournalError:
            return written
    pytest.fail("the disk is not small")


def test_a_full_disk(small_disk):
    """Filled up record by record and attachment by attachment, then freed, with nothing lost on the way."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(200_000))
    with Journal.create(small_disk / "run") as journal:
        path = small_disk / "run" / "journal.jsonl"
        written = fill(journal)
        with pytest.raises(JournalError, match="the disk is full: "):
            journal.append(ocp.run_log("INFO", "電腦" * 1500))
        assert written > 100
        with pytest.raises(JournalError, match="the disk is full: "):
            journal.attach("klog", Evidence("klog", "", os.urandom(50_000), "journalctl -k", runs.TIME))
        for _ in range(20):
            with pytest.raises(JournalError, match="the disk is full: "):
                journal.append(*[ocp.run_log("INFO", "電腦" * 1000)] * 10)
        assert path.read_bytes().endswith(b"\n")
        assert [r["sequenceNumber"] for r in read(path)] == list(range(written + 1))
        ballast.unlink()
        for _ in range(3):
            written += 1
            assert journal.append(ocp.run_log("INFO", "room again")) == [written]
        written += 1
        assert journal.attach("klog", Evidence("klog", "", b"room again", "journalctl -k", runs.TIME)) == written
        journal.sync()
    records = list(read(path))
    assert [r["sequenceNumber"] for r in records] == list(range(written + 1))
    assert (small_disk / "run" / records[-1]["testStepArtifact"]["file"]["uri"]).read_bytes() == b"room again"


def test_a_disk_that_turned_read_only(small_disk):
    with Journal.create(small_disk / "run") as journal:
        journal.append(runs.run_start())
    subprocess.run(["/usr/bin/mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(JournalError, match="the file system is read-only: "):
        Journal.reopen(small_disk / "run")
    with pytest.raises(JournalError, match="the file system is read-only: "):
        Journal.create(small_disk / "another")
    assert len(list(read(small_disk / "run" / "journal.jsonl"))) == 2
