"""Keeps what a scenario's agent saw, so that a bug found on a machine becomes a test that needs none."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from agent.diagnose.capture_file import FILE_SUFFIX, encode
from agent.diagnose.of_run import of_bundle
from tests.bench.checked import Checked
from tests.bench.scenario import Scenario


def record(scenario: Scenario, checked: Checked, folder: Path) -> None:
    """Save below ``folder`` the sealed bundle as the receiver got it, and a capture of its raw evidence: both are what
    ``aiodiag diagnose`` reads, and ``aiodiag bundle capture --area`` makes a smaller capture of the bundle.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(checked.bundle, folder / f"{scenario.name}.aiodiag.zip")
    capture = replace(of_bundle(checked.bundle), description=scenario.fault)
    (folder / f"{scenario.name}{FILE_SUFFIX}").write_bytes(encode(capture))
