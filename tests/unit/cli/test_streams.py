"""Standard streams as shells, terminals and cron jobs give them: never a traceback, nothing that steers a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from agent.cli.streams import tell
from agent.model import Text
from tests.agent_process import Ran, environment


def aiodiag(
    state: Path,
    *args: str,
    out: int | IO[str] = subprocess.PIPE,
    before: str = "",
    encoding: str = "utf-8",
    **more: str,
) -> Ran:
    """The agent, started by a shell that did ``before``."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'{before} exec "$@"', "sh", sys.executable, "-m", "agent.cli.main", *args],
        env=environment(state, **more),
        check=False,
        stdout=out,
        stderr=subprocess.PIPE,
        encoding=encoding,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    return Ran(done.returncode, done.stdout or "", done.stderr)


@pytest.mark.parametrize("before", ["exec >&-;", "exec 2>&-;", "exec <&- >&- 2>&-;", "exec <&- 2>&-;"])
@pytest.mark.parametrize("args", [["unit"], ["outbox"], ["probe", "unit", "memory"], ["bogus"]], ids=" ".join)
def test_streams_that_are_closed(before: str, args: list[str], tmp_path: Path) -> None:
    ran = aiodiag(tmp_path, *args, before=before)
    assert ran.status in ({2} if args == ["bogus"] else {0, 3})
    assert "Traceback" not in ran.err


def test_what_closed_streams_leave_free_is_given_to_no_file(tmp_path: Path) -> None:
    """A journal that got descriptor 1 would have the tables printed into it."""
    code = (
        "import os, sys; from agent.cli.streams import settle; settle(); print('gone');"
        "fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT); print('gone', flush=True); sys.exit(fd)"
    )
    file = tmp_path / "file"
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec <&- >&- 2>&-; exec "$@"', "sh", sys.executable, "-c", code, str(file)],
        env=environment(tmp_path),
        check=False,
        timeout=60,
    )
    assert done.returncode > 2
    assert file.read_bytes() == b""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "big5"])
@pytest.mark.parametrize("args", [["unit"], ["outbox"], ["probe", "unit"], ["probe", "nothing"]], ids=" ".join)
def test_an_encoding_without_our_characters(encoding: str, args: list[str], tmp_path: Path) -> None:
    ran = aiodiag(tmp_path, *args, "--lang", "zh_Hant", PYTHONIOENCODING=encoding, encoding=encoding)
    assert ran.status in ({2} if "nothing" in args else {0, 3})
    assert ran.out or ran.err
    assert "Traceback" not in ran.err


def test_a_full_device_is_one_clear_line(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        ran = aiodiag(tmp_path, "outbox", out=full)
    assert ran.status == 3
    assert "No space left on device" in ran.err
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("args", [["outbox"], ["outbox", "--json"], ["unit"], ["probe", "memory"]], ids=" ".join)
def test_a_reader_that_went_away_is_no_fault_found(args: list[str], tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    ran = aiodiag(tmp_path, *args, out=write)
    os.close(write)
    assert ran.status == 3
    assert ran.err == ""


def test_what_a_stranger_says_is_one_line_that_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    tell(Text("the server refused: {error}", {"error": "a\nb\r\x1b[31mred\x1b]0;title\x07\u202e"}), "en")
    assert capsys.readouterr().err == "aiodiag: the server refused: a b \\x1b[31mred\\x1b]0;title\\x07\\x202e\n"
