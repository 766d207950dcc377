"""The units that the package installs, judged by systemd."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).resolve().parents[3] / "packaging" / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_has_no_complaint(unit: Path, tmp_path: Path) -> None:
    """With another program in the agent's place, which is not installed where the tests run."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    text = unit.read_text()
    assert "ExecStart=/usr/bin/aiodiag " in text
    (tmp_path / unit.name).write_text(text.replace("/usr/bin/aiodiag", "/bin/true"))
    done = subprocess.run(
        [analyze, "verify", tmp_path / unit.name], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_there_are_some() -> None:
    assert UNITS
