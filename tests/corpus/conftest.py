"""The captured data, diagnosed once for all tests over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpus.diagnosed import diagnosed
from tests.corpus.evaluation import Documents
from tests.corpus.index import Row, rows


@pytest.fixture(scope="session")
def captures(shared: Path) -> list[Row]:
    return rows(shared)


@pytest.fixture(scope="session")
def documents(captures: list[Row]) -> Documents:
    return diagnosed([row.file for row in captures])
