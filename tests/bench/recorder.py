"""Keeps what a scenario's agent saw, so that a bug found on a machine becomes a test that needs none."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.bench.checked import Checked
from tests.bench.scenario import Scenario


def record(scenario: Scenario, checked: Checked, folder: Path) -> None:
    """Save the sealed bundle, as the receiver got it, below ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(checked.bundle, folder / f"{scenario.name}.aiodiag.zip")
