"""Mutated bundles against the real verification and the real intake, in a process whose memory is measured.

``AIODIAG_FUZZ`` says how many; 200 000 is the number to be reached before a release (``./dev fuzz``).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from server_stub.receiver import Receiver
from server_stub.settings import Settings
from tests.agent_process import ROOT
from tests.fuzz import judges
from tests.fuzz.__main__ import MUTATIONS
from tests.fuzz.mutant import Mutant
from tests.fuzz.seeds import seal_all
from tests.storages import Storage

pytestmark = pytest.mark.adversarial

COUNT = int(os.environ.get("AIODIAG_FUZZ", "2000"))
MOST_MEMORY = 200 << 20
"""Bytes, of the whole process: the interpreter, the receiver's libraries, and whatever a mutant makes it take."""


def test_no_mutated_bundle_is_accepted_or_crashes_anything(storage: Storage, tmp_path: Path) -> None:
    """A tenth of them on PostgreSQL and S3, which only those meet that are taken in."""
    count = COUNT // 10 if storage.s3 else COUNT
    ran = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--count", str(count), "--keep", str(ROOT / ".dev" / "fuzz")],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-5000:]
    report = json.loads(ran.stdout)
    print(ran.stdout)
    assert (report["count"], report["failures"]) == (count, 0)
    assert report["peak_memory_bytes"] < MOST_MEMORY
    if count >= 1000:  # every kind of change had its turn
        assert len(report["judged"]) >= len(set(MUTATIONS))


def test_the_judges_notice_what_is_believed(storage: Storage, tmp_path: Path) -> None:
    """A check that could not fail would prove nothing: bundles as they were sealed are believed, and that is told."""
    receiver = Receiver(Settings(tmp_path / "receiver"))
    try:
        seeds, _ = seal_all(receiver, tmp_path)
        keys = frozenset(seed.key.public.keyid for seed in seeds)
        for seed in seeds:
            forged = Mutant("unchanged", seed.data)
            with pytest.raises(judges.Wrong, match="sealed by the unit"):
                judges.verify(forged, seed, keys)
            with pytest.raises(judges.Wrong, match="accepted by the receiver"):
                judges.take_in(forged, seed, receiver)
            honest = Mutant("unchanged", seed.data, by_unit=True)
            assert judges.verify(honest, seed, keys) == judges.take_in(honest, seed, receiver) == judges.BELIEVED
    finally:
        receiver.close()
