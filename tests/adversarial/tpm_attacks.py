"""What the cases against proofs by TPMs share: a maker, a board of its, and a receiver that was told of the maker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from server_stub.tpm.makers import Makers
from tests.swtpm import Swtpm, running
from tests.tpm_maker import Maker, certified
from tests.tpm_unit import Board, Proving
from tests.unit.server.conftest import Bench, problem

SERIAL, OTHER_SERIAL = "HB24A0017", "HB24A0018"
MAKER = Maker()
TOFU = ("enrolled", "tofu")
PROVEN = ("enrolled", "tpm-ek", "")


@pytest.fixture(scope="module")
def swtpm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swtpm]:
    for made in running(tmp_path_factory.mktemp("swtpm")):
        certified(made, MAKER, tmp_path_factory.mktemp("maker"), "ecc")
        yield made


@pytest.fixture(scope="module")
def board(swtpm: Swtpm, tmp_path_factory: pytest.TempPathFactory) -> Board:
    return Board.of(swtpm, tmp_path_factory.mktemp("board"))


@pytest.fixture
def receiver(bench: Bench) -> Bench:
    """Told of one maker."""
    bench.receiver.makers = Makers([MAKER.root, MAKER.authority])
    return bench


@pytest.fixture
def unit(receiver: Bench, board: Board, tmp_path: Path) -> Proving:
    return board.unit(receiver, tmp_path / "unit", SERIAL)


def refused(unit: Proving, answer: Any, reason: str) -> None:
    """Not believed, for that reason, and nothing else has changed."""
    problem(answer, 403, "not-proven")
    assert unit.known == (*TOFU, reason)


def ek(unit: Proving) -> Any:
    return x509.load_der_x509_certificate(unit.shown.certificate).public_key()
