"""Whatever a person types wrong: one clear line on standard error, exit status 2, no traceback, in their language."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.cli.settings import rate_limit
from tests.agent_process import aiodiag

BAD = [
    ["probe", "nothing-like-it"],
    ["selfcheck", "--plan", "thorough-ish"],
    ["selfcheck", "--symptom", "sad"],
    ["selfcheck", "--serial", "To be filled by O.E.M."],
    ["selfcheck", "--rma", "12345", "--serial", "AIO24-0001"],
    ["selfcheck", "--rma", "HB26-483920-4", "--serial", "AIO24-0001", "--server", "http://127.0.0.1:1"],
    ["selfcheck", "--rma", "HB26-483920-5", "--serial", "AIO24-0001"],
    ["selfcheck", "--rma", "HB26-483920-5", "--serial", "AIO24-0001", "--server", "ftp://example.invalid"],
    ["selfcheck", "--rma", "HB26-483920-5", "--serial", "AIO24-0001", "--server", "http://example.invalid"],
    ["selfcheck", "--no-such-option"],
    ["bundle", "seal", "20000101T000000Z-0000"],
    ["bundle", "seal", "../../etc"],
    ["bundle", "seal", "--rma", "x"],
    ["bundle", "show", "/nowhere"],
    ["bundle", "verify", "/etc/hostname"],
    ["bundle", "verify", "/"],
    ["bundle", "verify"],
    ["bundle", "capture", "/nowhere", "-o", "/nowhere/x"],
    ["bundle", "capture", "/nowhere"],
    ["bundle"],
    ["diagnose"],
    ["diagnose", "/nowhere"],
    ["diagnose", "/etc/hostname"],
    ["diagnose", "/etc/hostname", "--kind", "nothing-like-it"],
    ["diagnose", "/"],
    ["diagnose", "/dev/zero"],
    ["upload", "/nowhere"],
    ["upload", "/etc/hostname"],
    *(["upload", "--limit-rate", rate] for rate in ("fast", "9999", "9k", "1.5M", "-20k", "500 k", "M", "５００k")),
    ["bogus"],
    [],
    ["unit", "--lang", "fr"],
    ["unit", "--lang"],
]


@pytest.mark.parametrize("args", BAD, ids=" ".join)
def test_one_clear_line(args: list[str], tmp_path: Path) -> None:
    ran = aiodiag(tmp_path, *args)
    assert ran.status == 2
    assert ran.out == ""
    (line,) = ran.err.splitlines()
    assert line.startswith("aiodiag: ")
    assert "Traceback" not in ran.err


def test_a_limit_that_is_none_is_told_before_the_check(tmp_path: Path) -> None:
    case = ["--rma", "HB26-483920-5", "--serial", "AIO24-0001", "--server", "http://127.0.0.1:1"]
    ran = aiodiag(tmp_path, "selfcheck", *case, AIODIAG_LIMIT_RATE="much")
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert "much" in ran.err


@pytest.mark.parametrize(("typed", "rate"), [("10000", 10_000), ("500k", 500_000), ("2M", 2_000_000)])
def test_limits_of_the_line(typed: str, rate: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIODIAG_LIMIT_RATE", raising=False)
    assert rate_limit(None) is None
    assert rate_limit(typed) == rate
    monkeypatch.setenv("AIODIAG_LIMIT_RATE", typed)
    assert rate_limit(None) == rate
    assert rate_limit("11k") == 11_000


@pytest.mark.parametrize(("language", "word"), [("es", "desconocida"), ("zh_Hant", "沒有")])
def test_the_line_speaks_the_persons_language(language: str, word: str, tmp_path: Path) -> None:
    by_option = aiodiag(tmp_path, "probe", "nothing", "--lang", language)
    by_environment = aiodiag(tmp_path, "probe", "nothing", LANG=f"{language.replace('zh_Hant', 'zh_TW')}.UTF-8")
    assert word in by_option.err
    assert by_option.err == by_environment.err


def test_a_state_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = aiodiag(tmp_path / "file" / "state", "outbox")
    assert ran.status == 3
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_state_directory_that_others_can_write(mode: int, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(mode)
    ran = aiodiag(state, "outbox")
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (3, "", 1)
    assert str(state) in ran.err
    assert list(state.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_state_directory_of_somebody_else(tmp_path: Path) -> None:
    """Root never writes where a user can."""
    (tmp_path / "state").mkdir()
    os.chown(tmp_path / "state", 65534, 65534)
    ran = aiodiag(tmp_path / "state", "outbox")
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (3, "", 1)


def test_somebody_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    from agent.cli.settings import state_directory

    for variable in ("HOME", "XDG_STATE_HOME", "AIODIAG_STATE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    with pytest.raises(OSError, match="set AIODIAG_STATE"):
        state_directory()


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    import subprocess
    import sys

    from tests.agent_process import environment

    with subprocess.Popen(
        [sys.executable, "-m", "agent.cli.main", "probe", "--json"],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as agent:
        assert agent.stdout is not None
        assert agent.stderr is not None
        agent.stdout.close()
        assert b"Traceback" not in agent.stderr.read()
