"""One receiver, one self-check, and units in the state right after it: a self-check takes seconds, so it is shared."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.agent_process import Ran, aiodiag
from tests.integration.unit_under_test import Unit
from tests.receiver_process import Case, ReceiverProcess, serving
from tests.storages import BOTH, Storage, storage_environment

SERIAL = "AIO24-INTEGRATION-1"


@dataclass(frozen=True)
class Checked:
    """A self-check that was sent to its case, by a person who speaks Spanish."""

    unit: Unit
    case: Case
    ran: Ran


@pytest.fixture(scope="package", params=BOTH, autouse=True)
def storage(request: pytest.FixtureRequest) -> Iterator[Storage]:
    """Every test here is to be had on either storage."""
    with storage_environment(request.param, request) as made:
        yield made


@pytest.fixture(scope="package")
def receiver(tmp_path_factory: pytest.TempPathFactory, storage: Storage) -> Iterator[ReceiverProcess]:
    with serving(tmp_path_factory.mktemp("receiver") / "data") as running:
        yield running


@pytest.fixture(scope="package")
def serial(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What this machine's firmware says; one that is typed counts only where it says nothing."""
    told = aiodiag(tmp_path_factory.mktemp("state"), "unit", "--json").json()
    return str(told["unit"].get("serial") or SERIAL)


@pytest.fixture(scope="package")
def checked(receiver: ReceiverProcess, serial: str, tmp_path_factory: pytest.TempPathFactory) -> Checked:
    case = receiver.open_case(serial)
    unit = Unit(tmp_path_factory.mktemp("unit"), "es")
    where = ["--rma", case.rma, "--server", receiver.url]
    return Checked(unit, case, unit.aiodiag("selfcheck", "--serial", serial, *where, "--json"))


@pytest.fixture
def unit(checked: Checked, tmp_path: Path) -> Unit:
    """The unit as if it had been checked without a network: a key and a run, nothing sent, no receiver known."""
    for part in ("key", "runs"):
        shutil.copytree(checked.unit.state / part, tmp_path / "state" / part)
    (tmp_path / "state").chmod(0o700)
    return Unit(tmp_path / "state")
