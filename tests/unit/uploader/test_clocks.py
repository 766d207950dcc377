"""What a bundle says of the unit's clocks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uploader.clocks import Clocks, TpmClock, synchronised
from uploader.strict_json import Malformed

ADJTIMEX = shutil.which("adjtimex", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
COUNT = st.integers(0, (1 << 64) - 1)
TPM = st.builds(TpmClock, COUNT, COUNT, COUNT, st.booleans())
SECONDS = st.floats(0, 1e12)
OLD = {"wall": "2026-01-01T00:00:00.000Z", "monotonic_s": 1.5, "boottime_s": 2.0}


@given(st.builds(Clocks, st.text(max_size=40), SECONDS, SECONDS, st.sampled_from([None, True, False]), st.none() | TPM))
def test_what_is_written_is_read(clocks: Clocks) -> None:
    assert Clocks.from_json(json.loads(json.dumps(clocks.to_json()))) == clocks


def test_a_bundle_of_an_older_agent_says_less() -> None:
    assert Clocks.from_json(OLD) == Clocks(OLD["wall"], 1.5, 2.0, None, None)


GOOD = {"clock_ms": 1, "reset_count": 2, "restart_count": 3, "safe": True}


@pytest.mark.parametrize(
    "wrong",
    [
        {"synchronised": "yes"},
        {"synchronised": 1},
        {"tpm": []},
        {"tpm": {}},
        *({"tpm": GOOD | change} for change in ({"clock_ms": -1}, {"reset_count": 1 << 64}, {"restart_count": True})),
        {"tpm": GOOD | {"safe": 1}},
    ],
    ids=str,
)
def test_nonsense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        Clocks.from_json(OLD | wrong)


def test_now_is_now() -> None:
    before = datetime.now(UTC)
    clocks = Clocks.now(None)
    assert abs((datetime.fromisoformat(clocks.wall) - before).total_seconds()) < 60
    assert abs(clocks.boottime_s - time.clock_gettime(time.CLOCK_BOOTTIME)) < 60
    assert clocks.synchronised is synchronised()


@pytest.mark.skipif(ADJTIMEX is None, reason="adjtimex is not installed")
def test_another_program_says_the_same() -> None:
    """``maxerror`` of Debian's adjtimex, in µs."""
    said = subprocess.run([str(ADJTIMEX), "--print"], capture_output=True, text=True, check=True).stdout
    (error,) = (int(line.split()[1]) for line in said.splitlines() if "maxerror:" in line)
    assert synchronised() is (error < 16_000_000)
