"""A person who is not root, and a disk that is full."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.journal import RunStore, read
from agent.model import Outcome, RunVerdict, Text
from agent.model.run_view import RunView
from agent.probes import areas
from agent.texts import render
from tests.agent_process import ROOT, Ran
from tests.integration.conftest import Checked
from tests.integration.unit_under_test import Unit
from tests.ocp import validate_lines
from tests.receiver_process import ReceiverProcess

pytestmark = pytest.mark.adversarial

NOBODY = 65534


@dataclass(frozen=True)
class Nobody:
    """User nobody, with a state directory, the code, and an interpreter that this user may read."""

    state: Path
    code: str
    python: str

    def run(self, *args: str) -> Ran:
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "zh_TW.UTF-8"}
        done = subprocess.run(
            [self.python, *args],
            env={**environment, "AIODIAG_STATE": str(self.state), "PYTHONPATH": self.code},
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def aiodiag(self, *args: str) -> Ran:
        ran = self.run("-m", "agent.cli.main", *args)
        assert "Traceback" not in ran.err + ran.out
        return ran


@pytest.fixture(scope="module")
def nobody() -> Iterator[Nobody]:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    # Not below pytest's own directory, which only its owner may enter; nor may others read the checkout, as a rule.
    with tempfile.TemporaryDirectory(prefix="aiodiag-nobody-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        for room in ("agent", "uploader"):
            shutil.copytree(ROOT / room, folder / "code" / room, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "state").mkdir(mode=0o700)
        os.chown(folder / "state", NOBODY, NOBODY)
        code = f"{folder / 'code'}:{sysconfig.get_path('purelib')}"
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        for python in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
            someone = Nobody(folder / "state", code, python)
            try:
                usable = someone.run("-c", "import agent.cli.main, cryptography, psutil, requests, rich").status == 0
            except OSError:
                continue
            if usable:
                yield someone
                return
        pytest.skip(f"user nobody may read no {version} here")


def test_without_root_it_works_and_says_what_it_could_not_see(nobody: Nobody, receiver: ReceiverProcess) -> None:
    # A typed serial number counts only where the firmware's is not to be seen, and that one is for root alone.
    told = nobody.aiodiag("unit", "--json").json()["unit"].get("serial")
    case = receiver.open_case(told or "AIO24-NOBODY")
    where = ["--rma", case.rma, "--server", receiver.url]
    ran = nobody.aiodiag("selfcheck", "--serial", case.serial, *where)
    verdicts = {0: "pass", 1: "fail", 3: "incomplete"}
    assert ran.status in verdicts
    needs_root = [line for line in ran.out.splitlines() if render(Text("needs root"), "zh_Hant") in line]
    assert needs_root
    # What watches beside a test has no command of its own.
    assert all("sudo aiodiag probe" in line or "sudo aiodiag selfcheck" in line for line in needs_root)
    (entry,) = nobody.aiodiag("outbox", "--json").json()["entries"]
    receiver.receipt(entry)
    page = receiver.page(case)
    assert "verified with the enrolled key" in page
    assert "needs root" in page
    assert {path.stat().st_uid for path in nobody.state.rglob("*")} == {NOBODY}
    assert (nobody.state / "key" / "key.pem").stat().st_mode & 0o077 == 0


def test_without_root_and_without_a_home_it_is_one_clear_line(nobody: Nobody) -> None:
    homeless = Nobody(Path("/nonexistent/state"), nobody.code, nobody.python)
    ran = homeless.aiodiag("selfcheck", "--serial", "AIO24-NOBODY")
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (3, "", 1)
    assert "/nonexistent" in ran.err


@contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[Path]:
    """A file system of so many KiB."""
    folder.mkdir()
    options = f"size={kib}k,mode=0700"
    mounted = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["/bin/umount", folder], check=True)


def enlarge(disk: Path) -> None:
    subprocess.run(["/bin/mount", "-o", "remount,size=50m", disk], check=True)


def used_kib(folder: Path) -> int:
    return sum(path.lstat().st_blocks for path in folder.rglob("*")) // 2


def the_line(ran: Ran) -> str:
    (line,) = [line for line in ran.err.splitlines() if line.startswith("aiodiag: ")]
    assert line == ran.err.splitlines()[-1]
    return line


def says_full(ran: Ran, language: str) -> bool:
    return the_line(ran).startswith(
        "aiodiag: " + render(Text("the disk is full: {path}", {"path": ""}), language).strip()
    )


def test_a_disk_that_is_full_from_the_start(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64) as disk:
        (disk / "films").write_bytes(b"x" * (64 << 10))
        for args in (["selfcheck", "--serial", "AIO24-FULL"], ["probe", "memory"], ["outbox"], ["upload"]):
            ran = Unit(disk / "state", "es").aiodiag(*args)
            if args[0] == "selfcheck":
                assert (ran.status, ran.out) == (3, "")
                assert says_full(ran, "es")
            else:
                assert ran.status in {0, 3}
        assert (disk / "films").stat().st_size == 64 << 10


def test_a_disk_that_fills_while_it_checks(tmp_path: Path, shared: Path) -> None:
    """What was written stays. The run is closed as not complete: at once where the few bytes of its end still fit, else
    by the next check.
    """
    with small_disk(tmp_path / "disk", 80) as disk:
        unit = Unit(disk / "state", "zh_Hant")
        ran = unit.aiodiag("selfcheck", "--serial", "AIO24-FULL")
        assert (ran.status, ran.out) == (3, "")
        assert says_full(ran, "zh_Hant")
        (cut,) = os.listdir(unit.state / "runs")
        journal = unit.state / "runs" / cut / "journal.jsonl"
        before = journal.read_bytes()
        assert before.endswith(b"\n")
        assert validate_lines(journal, shared) > len(areas())
        left_open = RunStore(unit.state).open_runs()
        enlarge(disk)
        again = unit.aiodiag("selfcheck", "--serial", "AIO24-FULL", "--json")
        assert again.status in {0, 1, 3}
        assert (cut in again.err) == (left_open == [cut])
        assert Path(again.json()["bundle"]).is_file()
        assert journal.read_bytes().startswith(before)
        view = RunView.from_records(read(journal))
        assert view.ended
        assert not view.complete
        # A step that the full disk ended is an error where its end still fitted; nobody stopped it.
        assert {Outcome.INTERRUPTED, Outcome.ERROR} & set(view.outcomes.values())
        assert Outcome.SKIPPED not in view.outcomes.values()
        assert view.verdict is not RunVerdict.PASS
        assert RunStore(unit.state).open_runs() == []


def test_a_disk_that_has_room_for_the_check_but_not_for_its_bundle(
    receiver: ReceiverProcess, checked: Checked, tmp_path: Path
) -> None:
    """What was found is told all the same; sealed and sent it is later."""
    bundle = Path(checked.ran.json()["bundle"])
    room = used_kib(checked.unit.state / "runs") + bundle.stat().st_size // 2048
    with small_disk(tmp_path / "disk", room) as disk:
        unit = Unit(disk)
        shutil.copytree(checked.unit.state / "key", disk / "key")
        ran = unit.aiodiag("selfcheck", "--serial", checked.case.serial, "--json")
        assert ran.status == 3
        assert "the bundle could not be made: No space left on device" in the_line(ran)
        document = ran.json()
        assert document["bundle"] is None
        assert document["verdict"] == checked.ran.json()["verdict"]
        assert document["outcomes"].keys() == checked.ran.json()["outcomes"].keys()
        assert [*(disk / "bundles").glob("*"), *(disk / "sealing").glob("*")] == []
        enlarge(disk)
        unit.sealed(checked.case.rma, receiver.url)
        assert unit.aiodiag("upload").status == 0
        (entry,) = unit.outbox()
        receiver.receipt(entry)
