"""Fixtures for all tests."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from tests.storages import postgres, s3

__all__ = ["postgres", "s3"]  # fixtures

# How long an example takes says what else the machine does; times are measured by the benchmarks.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parent.parent

# Whoever runs the tests in the background (a shell's &, nohup) hands them ignored signals, and they would hand them on
# to the agents that they start and interrupt.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real captured data beside the checkout; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("AIODIAG_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no captured data at {folder}")
    return folder
