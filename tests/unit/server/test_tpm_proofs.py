"""The whole way of a proof: the agent's desk and a real TPM (swtpm) on one side, the receiver on the other."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from server_stub.db import AuditRow, DeviceKey
from server_stub.db.accounts import Role
from server_stub.key_levels import level_of
from server_stub.limits.table import RATES
from server_stub.receiver import Receiver
from server_stub.settings import Settings
from server_stub.tpm.makers import Makers
from tests.staff import Browser, account
from tests.swtpm import Swtpm, running
from tests.tpm_maker import Maker, certified
from tests.unit.server.conftest import Bench
from uploader.receiver import Quarantined
from uploader.submission import Desk

SERIAL, OTHER_SERIAL = "HB24A0017", "HB24A0018"
WITHOUT = "so it is not proven that this unit's key is in its TPM; everything goes on as before"


@pytest.fixture(scope="module")
def maker() -> Maker:
    return Maker()


@pytest.fixture(scope="module", params=["rsa", "ecc"])
def swtpm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, maker: Maker) -> Iterator[Swtpm]:
    for made in running(tmp_path_factory.mktemp("swtpm")):
        certified(made, maker, tmp_path_factory.mktemp("maker"), request.param)
        yield made


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swtpm]:
    """A TPM without a certificate."""
    yield from running(tmp_path_factory.mktemp("bare"))


@pytest.fixture
def believing(bench: Bench, maker: Maker, tmp_path: Path) -> Bench:
    """The receiver after its operator named the maker, and started it."""
    maker.believed_in(tmp_path / "makers")
    bench.receiver.makers = Makers.load(tmp_path / "makers")
    return bench


class Unit:
    """One start of the agent on a unit with a case."""

    def __init__(self, bench: Bench, swtpm: Swtpm, state: Path, serial: str = SERIAL) -> None:
        self.bench, self.serial = bench, serial
        self.rma = bench.open_case(serial).case.rma
        self.told: list[str] = []
        self.desk = Desk(state, lambda text: self.told.append(str(text)), swtpm.tpm(state / "key" / "tpm"))

    def announce(self) -> str:
        return self.desk.announce(str(self.bench.http.base_url), self.rma, self.serial)

    @property
    def level(self) -> str:
        with self.bench.receiver.db.read() as session:
            keys = session.scalars(select(DeviceKey)).all()
            [level] = [level_of(session, key).value for key in keys if self._is_mine(key)]
            return level

    def _is_mine(self, key: DeviceKey) -> bool:
        return key.keyid == self.desk.key(self.serial).public.keyid

    def page(self) -> str:
        """Of the case, as staff see it."""
        with self.bench.receiver.db.read() as session:
            known = session.scalar(select(AuditRow.sequence).where(AuditRow.action == "account-added"))
        if known is None:
            account(self.bench.receiver, "quinn", Role.QC)
        browser = Browser(self.bench.http.base_url)
        assert browser.sign_in("quinn").status_code == 303
        return str(browser.request("GET", f"/staff/cases/{self.rma}").text)


def told(bench: Bench, action: str) -> list[dict[str, str]]:
    with bench.receiver.db.read() as session:
        rows = session.scalars(select(AuditRow).where(AuditRow.action == action).order_by(AuditRow.sequence))
        return [json.loads(row.detail) for row in rows]


def test_a_unit_proves_its_key_when_it_is_announced(believing: Bench, swtpm: Swtpm, tmp_path: Path) -> None:
    unit = Unit(believing, swtpm, tmp_path / "state")
    assert unit.announce()
    assert (unit.level, unit.told) == ("tpm-ek", [])
    assert "key proven to be in a TPM" in unit.page()
    [row] = told(believing, "tpm-proven")
    assert (row["rma"], row["keyid"]) == (unit.rma, unit.desk.key(SERIAL).public.keyid)
    assert len(row["ek"]) == len(row["certificate"]) == 64
    again = Unit(believing, swtpm, tmp_path / "state")
    assert again.announce()
    assert (len(told(believing, "tpm-proven")), again.told) == (1, [])


def test_a_receiver_that_knows_no_maker_asks_for_nothing_and_staff_see_why(
    bench: Bench, bare: Swtpm, tmp_path: Path
) -> None:
    unit = Unit(bench, bare, tmp_path / "state")
    assert unit.announce()
    assert (unit.level, unit.told) == ("tofu", [])
    assert "this receiver was told of no maker of TPMs" in unit.page()


def test_a_tpm_without_a_certificate_keeps_nobody_waiting(believing: Bench, bare: Swtpm, tmp_path: Path) -> None:
    unit = Unit(believing, bare, tmp_path / "state")
    assert unit.announce()
    assert unit.announce()
    assert unit.level == "tofu"
    assert unit.told == ["the TPM has no certificate of its maker", WITHOUT]
    assert "its TPM has no certificate of its maker" in unit.page()
    assert [row["reason"] for row in told(believing, "tpm-not-proven")] == ["no-certificate"]


def test_a_tpm_of_an_unknown_maker_keeps_nobody_waiting(bench: Bench, swtpm: Swtpm, tmp_path: Path) -> None:
    other = Maker("Another")
    bench.receiver.makers = Makers([other.root, other.authority])
    unit = Unit(bench, swtpm, tmp_path / "state")
    assert unit.announce()
    assert (unit.level, unit.told) == ("tofu", ["the receiver does not believe what the TPM shows of itself", WITHOUT])
    assert "no maker that this receiver was told of" in unit.page()
    again = Unit(bench, swtpm, tmp_path / "state")
    assert again.announce()
    assert [row["reason"] for row in told(bench, "tpm-not-proven")] == ["unknown-maker"]


def test_a_tpm_that_does_not_let_its_key_be_used_keeps_nobody_waiting(
    believing: Bench, maker: Maker, tmp_path: Path
) -> None:
    for swtpm in running(tmp_path / "swtpm"):
        certified(swtpm, maker, tmp_path, "ecc")
        swtpm.ask("tpm2_changeauth", "-c", "endorsement", "secret")
        unit = Unit(believing, swtpm, tmp_path / "state")
        assert unit.announce()
        assert (unit.level, unit.told) == ("tofu", ["the TPM's endorsement hierarchy has a password", WITHOUT])
        assert "its TPM has proven nothing yet" in unit.page()


def test_a_board_in_another_unit_waits_for_staff(believing: Bench, swtpm: Swtpm, tmp_path: Path) -> None:
    unit = Unit(believing, swtpm, tmp_path / "state")
    unit.announce()
    other = Unit(believing, swtpm, tmp_path / "other", OTHER_SERIAL)
    with pytest.raises(Quarantined):
        other.announce()
    assert "known as another unit" in other.page()
    [row] = told(believing, "tpm-of-another-unit")
    assert (row["unit"], row["rma"]) == (SERIAL, other.rma)


def test_too_many_proofs_are_stopped(believing: Bench, swtpm: Swtpm, tmp_path: Path) -> None:
    """The case's share is used up: the unit is told to wait, and goes on without."""
    unit = Unit(believing, swtpm, tmp_path / "state")
    for _ in range(RATES["proofs-of-case"].burst):
        believing.receiver.limits.spend("proofs-of-case", unit.rma)
    assert unit.announce()
    assert unit.level == "tofu"
    assert "too much to do" in unit.told[0]


def test_a_certificate_of_another_maker_s_tools(bench: Bench, tmp_path: Path) -> None:
    """swtpm_setup has swtpm_localca certify the endorsement key, as those of virtual machines are; root and authority
    are its own.
    """
    setup = shutil.which("swtpm_setup")
    if setup is None or shutil.which("swtpm_localca") is None:
        pytest.skip("swtpm_setup is not installed (Debian package swtpm-tools)")
    state, authority, makers = tmp_path / "swtpm", tmp_path / "authority", tmp_path / "makers"
    for folder in (state, authority, makers):
        folder.mkdir()
    kept = {"statedir": "", "signingkey": "/key.pem", "issuercert": "/authority.pem", "certserial": "/serial"}
    (tmp_path / "localca.conf").write_text("".join(f"{name} = {authority}{path}\n" for name, path in kept.items()))
    (tmp_path / "localca.options").write_text("")
    (tmp_path / "setup.conf").write_text(
        f"create_certs_tool = {shutil.which('swtpm_localca')}\n"
        f"create_certs_tool_config = {tmp_path}/localca.conf\n"
        f"create_certs_tool_options = {tmp_path}/localca.options\n"
    )
    made = [setup, "--tpm2", "--tpmstate", str(state), "--config", f"{tmp_path}/setup.conf", "--create-ek-cert"]
    subprocess.run(made, check=True, capture_output=True, timeout=300)
    for path in authority.glob("*cert.pem"):
        shutil.copy(path, makers)
    shutil.copy(authority / "authority.pem", makers)
    bench.receiver.makers = Makers.load(makers)
    for swtpm in running(state):
        unit = Unit(bench, swtpm, tmp_path / "state")
        unit.announce()
        assert (unit.told, unit.level) == ([], "tpm-ek")


def test_makers_are_read_when_the_receiver_starts(maker: Maker, tmp_path: Path) -> None:
    """A file that cannot be read keeps it from starting: whoever put it there wants it believed."""
    settings = Settings(tmp_path)
    assert not receiver_makers(settings)
    maker.believed_in(settings.makers)
    assert receiver_makers(settings)
    (settings.makers / "other.pem").write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    with pytest.raises(ValueError, match=r"other\.pem holds no certificate"):
        Receiver(settings)


def receiver_makers(settings: Settings) -> bool:
    receiver = Receiver(settings)
    receiver.close()
    return bool(receiver.makers)
