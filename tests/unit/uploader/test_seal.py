from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.journal import Journal
from agent.model import RunVerdict
from agent.model.run_view import RunView
from tests import runs
from tests.unit.uploader.support import BINDING, ROOT, write_run
from uploader import dsse
from uploader.bundle import format as fmt
from uploader.bundle.seal import SealFailed, seal
from uploader.bundle.verify import open_bundle
from uploader.keys import DeviceKey


def test_a_run_as_the_journal_writes_it(tmp_path: Path, key: DeviceKey) -> None:
    with Journal.create(tmp_path / "run") as journal:
        for _ in runs.write(journal):
            pass
    before = sorted((tmp_path / "run").rglob("*"))
    sealed = seal(tmp_path / "run", tmp_path / "out", key, replace(BINDING, verdict=RunVerdict.FAIL))
    assert sorted((tmp_path / "run").rglob("*")) == before
    with open_bundle(sealed.path, key=key.public) as bundle:
        assert bundle.read(fmt.JOURNAL) == (tmp_path / "run" / "journal.jsonl").read_bytes()
        view = RunView.from_records(bundle.journal())
        assert view.verdict is RunVerdict.FAIL
        (file,) = view.steps["storage"].files
        assert bundle.read_attachment(file["uri"]) == runs.SMART.data
        described = {entry.name: entry for entry in bundle.manifest.entries}
        assert described[file["uri"]].title == runs.SMART.file_name
        assert described[file["uri"]].content_type == "application/json"
        result = test_result(bundle.read(fmt.TEST_RESULT), key)
    assert result["result"] == "FAILED"
    assert (result["passedTests"], result["warnedTests"], result["failedTests"]) == ([], ["thermals"], ["storage"])


def test_result(envelope: bytes, key: DeviceKey) -> Any:
    payload = dsse.verify(envelope, fmt.PAYLOAD_TYPE, key.public, max_size=fmt.MAX_ENVELOPE)
    return fmt.decode_statement(payload, fmt.TEST_RESULT_PREDICATE)[1]


test_result.__test__ = False  # type: ignore[attr-defined]


def test_what_could_not_be_judged_is_no_pass(tmp_path: Path, key: DeviceKey) -> None:
    sealed = seal(write_run(tmp_path / "run"), tmp_path, key, replace(BINDING, verdict=RunVerdict.INCOMPLETE))
    with open_bundle(sealed.path) as bundle:
        result = test_result(bundle.read(fmt.TEST_RESULT), key)
    assert result["result"] == "WARNED"
    assert (result["passedTests"], result["warnedTests"]) == (["probe.panel"], ["probe.camera"])


def test_bundles_are_counted(tmp_path: Path) -> None:
    key = DeviceKey.load_or_create(tmp_path / "key")
    run = write_run(tmp_path / "run")
    sequences = []
    for _ in range(2):
        with open_bundle(seal(run, tmp_path, key, BINDING).path) as bundle:
            sequences.append(bundle.statement.run.sequence)
    assert sequences == [1, 2]


def test_a_bundle_without_a_case(tmp_path: Path, key: DeviceKey) -> None:
    sealed = seal(write_run(tmp_path / "run"), tmp_path, key, replace(BINDING, rma=None, nonce=None))
    with open_bundle(sealed.path) as bundle:
        assert bundle.statement.run.rma is None
    assert sealed.path.name == f"{sealed.bundle_id}.aiodiag.zip"
    assert sealed.path.stat().st_mode & 0o777 == 0o600


def test_a_run_without_attachments_or_whole_lines(tmp_path: Path, key: DeviceKey) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "journal.jsonl").write_bytes(b'{"torn')
    with open_bundle(seal(tmp_path / "run", tmp_path, key, BINDING).path) as bundle:
        assert bundle.names == (fmt.MANIFEST, fmt.TEST_RESULT, fmt.JOURNAL)


def link_attachment(run: Path) -> None:
    (run / "attachments" / "shadow.txt").symlink_to("/etc/shadow")


def link_journal(run: Path) -> None:
    (run / "journal.jsonl").rename(run / "real")
    (run / "journal.jsonl").symlink_to("real")


def link_attachments(run: Path) -> None:
    (run / "attachments").rename(run / "real")
    (run / "attachments").symlink_to("real")


def pipe(run: Path) -> None:
    os.mkfifo(run / "attachments" / "pipe.txt")


def folder(run: Path) -> None:
    (run / "attachments" / "folder").mkdir()


def strange_name(run: Path) -> None:
    (run / "attachments" / "it's.txt").write_text("")


def no_journal(run: Path) -> None:
    (run / "journal.jsonl").unlink()


def too_many(run: Path) -> None:
    for number in range(fmt.MAX_ENTRIES):
        (run / "attachments" / f"{number}.txt").write_text("")


def too_large(run: Path) -> None:
    with (run / "attachments" / "large.bin").open("wb") as file:
        file.truncate(fmt.MAX_ENTRY + 1)


@pytest.mark.parametrize(
    "spoil",
    [link_attachment, link_journal, link_attachments, pipe, folder, strange_name, no_journal, too_many, too_large],
)
def test_what_a_bundle_cannot_hold_gives_no_bundle(tmp_path: Path, key: DeviceKey, spoil: Any) -> None:
    spoil(write_run(tmp_path / "run"))
    with pytest.raises(SealFailed):
        seal(tmp_path / "run", tmp_path / "out", key, BINDING)
    assert os.listdir(tmp_path / "out") == []


def test_a_linked_run_directory_is_refused(tmp_path: Path, key: DeviceKey) -> None:
    write_run(tmp_path / "run")
    (tmp_path / "link").symlink_to("run")
    with pytest.raises(SealFailed):
        seal(tmp_path / "link", tmp_path / "out", key, BINDING)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from tests.unit.uploader.support import BINDING
from uploader.bundle.seal import SealFailed, seal
from uploader.keys import DeviceKey
run, out, keys = map(Path, sys.argv[1:])
key = DeviceKey.load_or_create(keys)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
try:
    seal(run, out, key, BINDING)
except SealFailed as error:
    print(error)
"""


def test_a_disk_that_takes_no_more_gives_no_bundle(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    arguments = [tmp_path / "run", tmp_path / "out", tmp_path / "key"]
    command = [sys.executable, "-c", FULL_DISK, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "the bundle could not be made: File too large\n", done.stderr
    assert os.listdir(tmp_path / "out") == []


LARGE = """
import resource, sys
from pathlib import Path
from tests.unit.uploader.support import BINDING
from uploader.bundle.seal import seal
from uploader.bundle.verify import open_bundle
from uploader.keys import DeviceKey
root = Path(sys.argv[1])
key = DeviceKey.load_or_create(root / "key")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open_bundle(seal(root / "run", root / "out", key, BINDING).path, key=key.public) as bundle:
    for name in bundle.names:
        for chunk in bundle.chunks(name):
            pass
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, bundle.size)
"""


def test_memory_does_not_grow_with_the_bundle(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    with (run / "attachments" / "large.bin").open("wb") as file:
        file.truncate(100 << 20)
    command = [sys.executable, "-c", LARGE, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    grown_kib, size = map(int, done.stdout.split())
    assert size > 100 << 20
    assert grown_kib < 20 << 10
