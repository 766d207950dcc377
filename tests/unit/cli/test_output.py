"""What goes wrong with the output, or in the agent itself, is never taken for a fault of the unit."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.cli import streams
from agent.cli.commands import doctor
from agent.cli.main import main
from tests.agent_process import AGENT, environment
from uploader.outbox import Outbox, State

COMMANDS = [["probe", "cpu"], ["probe", "cpu", "--json"], ["unit"], ["outbox"], ["doctor"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_full_disk_is_told_and_no_success(command: list[str], tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            [AGENT, *command], env=environment(tmp_path), check=False, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert ran.returncode == 3
    (line,) = ran.stderr.splitlines()
    assert "No space left on device" in line


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_reader_that_goes_away_is_no_fault_of_the_unit(command: list[str], tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    ran = subprocess.run(
        [AGENT, *command], env=environment(tmp_path), check=False, stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert (ran.returncode, ran.stderr) == (3, "")


@given(st.text(st.characters()), st.sampled_from(["utf-8", "ascii", "latin-1"]))
def test_json_is_valid_and_steers_no_terminal_whatever_is_in_it(text: str, encoding: str) -> None:
    before, sys.stdout = sys.stdout, io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    try:
        streams.print_json({"said": [text, "記憶體 °C"]})
        printed = sys.stdout.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]  # BytesIO, as made above
    finally:
        sys.stdout = before
    assert json.loads(printed) == {"said": [text, "記憶體 °C"]}
    assert printed.replace("\n", "").isprintable()


def test_letters_stay_readable_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    streams.print_json({"said": "記憶體 °C é"})
    assert "記憶體 °C é" in capsys.readouterr().out


def test_a_mistake_of_ours_is_not_told_as_a_fault_of_the_unit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_args: object) -> int:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(doctor, "run", broken)
    assert main(["doctor"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "ZeroDivisionError: a mistake" in line
    assert "test_output.py:" in line


def test_a_bundle_waits_in_the_outbox_even_if_its_result_could_not_be_printed(tmp_path: Path) -> None:
    command = ["selfcheck", "--serial", "AIO24-0001", "--rma", "HB26-483920-5", "--server", "http://127.0.0.1:1"]
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            [AGENT, *command], env=environment(tmp_path), check=False, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert ran.returncode == 3
    assert "No space left on device" in ran.stderr
    (entry,) = Outbox(tmp_path / "outbox").entries()
    assert entry.state is State.WAITING


def test_progress_that_nobody_sees_keeps_nothing_from_being_checked(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    ran = subprocess.run(
        [AGENT, "selfcheck", "--serial", "AIO24-0001", "--json"],
        env=environment(tmp_path),
        check=False,
        stdout=subprocess.PIPE,
        stderr=write,
        text=True,
    )
    os.close(write)
    document = json.loads(ran.stdout)
    assert ran.returncode == {"pass": 0, "fail": 1, "incomplete": 3}[document["verdict"]]
    assert None not in document["outcomes"].values()
