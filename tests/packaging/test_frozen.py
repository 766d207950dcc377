"""The frozen agent: one folder, no Python on the unit, and every member found by registration is in it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from agent.probes import areas
from tests.packaging.conftest import Built

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.packaging


@pytest.fixture
def frozen(built: Built) -> Path:
    """The program."""
    return built.frozen / "aiodiag"


def run(frozen: Path, state: Path, *args: str) -> subprocess.CompletedProcess[str]:
    # Nothing of this checkout or its Python may help it.
    environment = {"PATH": "/usr/bin:/bin", "AIODIAG_STATE": str(state), "LANG": "C.UTF-8"}
    return subprocess.run(
        [frozen, *args], env=environment, cwd="/", capture_output=True, text=True, timeout=120, check=False
    )


def test_every_area_is_in_it(frozen: Path, tmp_path: Path) -> None:
    document = json.loads(run(frozen, tmp_path, "probe", "--json").stdout)
    assert set(document["outcomes"]) == {f"probe.{area}" for area in areas()}
    assert "error" not in document["outcomes"].values()


def test_a_whole_self_check(frozen: Path, tmp_path: Path) -> None:
    ran = run(frozen, tmp_path, "selfcheck", "--serial", "AIO24-FROZEN-1", "--json", "--lang", "es")
    document = json.loads(ran.stdout)
    assert document["outcomes"]["rules"] == "pass"
    assert document["outcomes"]["test.memory"] in {"pass", "unsupported"}
    (again,) = json.loads(run(frozen, tmp_path, "diagnose", document["bundle"], "--json").stdout)
    assert (again["verdict"], again["outcomes"]) == (document["verdict"], document["outcomes"])
    verified = run(frozen, tmp_path, "bundle", "verify", document["bundle"])
    assert verified.returncode == 0, verified.stderr
    assert "completo y firmado" in run(frozen, tmp_path, "bundle", "verify", document["bundle"], "--lang", "es").stdout


def test_data_is_in_it(frozen: Path) -> None:
    folder = frozen.parent / "_internal" / "agent"
    assert len(list((folder / "catalogue" / "codes").glob("*.toml"))) == len(
        list((ROOT / "agent" / "catalogue" / "codes").glob("*.toml"))
    )
