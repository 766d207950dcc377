"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real captured data beside the checkout; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("AIODIAG_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no captured data at {folder}")
    return folder
