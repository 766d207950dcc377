"""How many named cases each group of attackers and accidents has, on either storage. ``-s`` prints them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.agent_process import ROOT

pytestmark = pytest.mark.adversarial

ATTACKS, SERVER = "tests/adversarial", "tests/unit/server"
GROUPS = {
    "envelope": (40, (f"{ATTACKS}/test_envelope.py",)),
    "archive": (30, (f"{ATTACKS}/test_archive.py",)),
    "upload": (40, (f"{ATTACKS}/test_upload.py", f"{ATTACKS}/test_upload_connections.py")),
    "replay": (20, (f"{SERVER}/test_replay.py",)),
    "enrolment": (15, (f"{ATTACKS}/test_enrolment.py",)),
    "proof by a TPM": (60, (f"{ATTACKS}/test_tpm_certificates.py", f"{ATTACKS}/test_tpm_proof.py")),
    "clock": (15, (f"{SERVER}/test_device_clocks.py",)),
    "crash": (10, (f"{ATTACKS}/test_crash.py",)),
    "content": (10, (f"{SERVER}/test_hostile_content.py",)),
    "authorisation": (10, (f"{SERVER}/test_authorisation.py",)),
}
"""The least number of cases of a group, and the files that hold them."""

STORAGES = {"SQLite and files": "not storage", "PostgreSQL and S3": "storage"}
"""What the receiver keeps things in, and the marks of the cases on it."""


@pytest.mark.parametrize("storage", STORAGES)
def test_every_group_has_its_cases(storage: str) -> None:
    files = [file for _, names in GROUPS.values() for file in names]
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-m", STORAGES[storage], *files],
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
            found[path] += int(count)
    counts = {name: sum(found[file] for file in files) for name, (_, files) in GROUPS.items()}
    print(storage, counts, sum(counts.values()))
    assert {name: count for name, count in counts.items() if count < GROUPS[name][0]} == {}
