"""How many named cases each group of attackers and accidents has. ``-s`` prints them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.agent_process import ROOT

pytestmark = pytest.mark.adversarial

GROUPS = {
    "envelope": (40, ("test_envelope.py",)),
    "archive": (30, ("test_archive.py",)),
    "upload": (40, ("test_upload.py", "test_upload_connections.py")),
    "enrolment": (15, ("test_enrolment.py",)),
    "crash": (10, ("test_crash.py",)),
}
"""The least number of cases of a group, and the files that hold them."""


def test_every_group_has_its_cases() -> None:
    files = [ROOT / "tests" / "adversarial" / file for _, names in GROUPS.values() for file in names]
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-m", "adversarial", *files],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = Counter[str]()
    for line in listed.splitlines():
        path, _, count = line.rpartition(": ")
        if count.isdigit():
            found[path.rpartition("/")[2]] += int(count)
    counts = {name: sum(found[file] for file in files) for name, (_, files) in GROUPS.items()}
    print(counts)
    assert {name: count for name, count in counts.items() if count < GROUPS[name][0]} == {}
