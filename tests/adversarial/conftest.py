"""The receiver that the attackers' and accidents' cases go to: the same as the unit tests', on a real socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.adversarial.uploads import ready
from tests.storages import BOTH, Storage, storage_environment
from tests.unit.server.conftest import bench

__all__ = ["bench", "ready"]


@pytest.fixture(params=BOTH)
def storage(request: pytest.FixtureRequest) -> Iterator[Storage]:
    """What that receiver keeps things in."""
    with storage_environment(request.param, request) as made:
        yield made
