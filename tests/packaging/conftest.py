"""The frozen agent and its Debian package, built once for all tests, as ``./dev package`` builds them."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILDER = ROOT / "packaging" / "package.py"
EPOCH = 1_700_000_000
"""When the tests' package was made, by its own word."""


class Built(NamedTuple):
    """The folder with the programs, and the package."""

    frozen: Path
    deb: Path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Tests that run side by side in several processes wait for the first of them to build."""
    base = tmp_path_factory.getbasetemp()
    out = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "package"
    out.mkdir(exist_ok=True)
    with (out / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        whole = out / "whole"
        if not whole.exists():
            environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)}
            subprocess.run([sys.executable, BUILDER, out], env=environment, check=True, timeout=900)
            whole.touch()
    [deb] = out.glob("*.deb")
    return Built(out / "aiodiag", deb)
