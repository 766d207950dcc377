"""A key and a bundle to try things on."""

from __future__ import annotations

import pytest

from tests.unit.uploader.support import BINDING, write_run
from uploader.bundle.seal import Sealed, seal
from uploader.keys import DeviceKey


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> DeviceKey:
    return DeviceKey.load_or_create(tmp_path_factory.mktemp("keys") / "key")


@pytest.fixture(scope="session")
def sealed(tmp_path_factory: pytest.TempPathFactory, key: DeviceKey) -> Sealed:
    folder = tmp_path_factory.mktemp("sealed")
    return seal(write_run(folder / "run"), folder / "out", key, BINDING)
