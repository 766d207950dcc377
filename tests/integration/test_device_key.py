"""From a TPM to a receipt: a unit with a real TPM (swtpm), its desk, and the receiver as a process."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.journal import RunStore, read
from agent.model import Outcome, RunVerdict, ocp
from agent.model.run_view import JOURNAL, RunView
from tests.agent_process import ROOT
from tests.receiver_process import Case, ReceiverProcess
from tests.swtpm import Swtpm, running
from uploader.bundle.verify import open_bundle
from uploader.outbox import Entry
from uploader.receiver import Quarantined
from uploader.submission import Desk

SERIAL = "AIO24-WITH-A-TPM"


@pytest.fixture
def swtpm(tmp_path: Path) -> Iterator[Swtpm]:
    yield from running(tmp_path / "swtpm")


@pytest.fixture
def case(receiver: ReceiverProcess) -> Case:
    return receiver.quick_case(f"{SERIAL}-{uuid.uuid4().hex[:8]}")


class Sitting:
    """One start of the agent on the unit: what it seals, and what the person is told."""

    def __init__(
        self, state: Path, swtpm: Swtpm, receiver: ReceiverProcess, case: Case, answer_s: float = 60.0
    ) -> None:
        self._state, self._receiver, self._case = state, receiver, case
        self.told: list[str] = []
        tpm = swtpm.tpm(state / "key" / "tpm", answer_s)
        self.desk = Desk(state, lambda text: self.told.append(str(text)), tpm)

    def announce(self) -> str:
        return self.desk.announce(self._receiver.url, self._case.rma, self._case.serial)

    def seal(self, nonce: str | None = None) -> Entry:
        """A run of a moment, into the outbox."""
        run_id, journal = RunStore(self._state).new()
        unit = {"serial": self._case.serial, "serial_source": "typed", "model": "AIO 24"}
        with journal:
            start = {"plan": "quick", "needed": ["firmware"]}
            journal.append(
                ocp.run_start(
                    version="0.1.0",
                    command_line="aiodiag selfcheck",
                    parameters=start,
                    unit=unit,
                    components=[],
                    metadata={"boot_id": "0d5c2a3e-9a55-4f0c-8f57-1f4f5b0c2a10"},
                )
            )
            journal.append(ocp.step_start("firmware", "firmware"))
            journal.append(*ocp.step_end("firmware", Outcome.PASS, None, 1.0, 0.1))
            journal.append(ocp.run_end(RunVerdict.PASS, complete=True))
        run = RunStore(self._state).path(run_id)
        view = RunView.from_records(read(run / JOURNAL))
        sealed = self.desk.seal(run, run_id, view, rma=self._case.rma, nonce=nonce)
        return self.desk.outbox.add(sealed.path, rma=self._case.rma, server=self._receiver.url)

    def protection(self, entry: Entry) -> str:
        with open_bundle(self.desk.outbox.bundle(entry)) as bundle:
            return bundle.statement.run.key_protection


def staff(receiver: ReceiverProcess, *words: str) -> str:
    command = [sys.executable, "-m", "server_stub.cli", *words, "--data", str(receiver.data)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120).stdout


def accept(receiver: ReceiverProcess, case: Case) -> None:
    """What staff do: look, and confirm the one key of the unit that waits."""
    [line] = [line for line in staff(receiver, "conflicts").splitlines() if line.startswith(f"{case.serial} ")]
    staff(receiver, "accept-key", "--serial", case.serial, "--key", line.split()[2])


def test_a_bundle_signed_by_a_tpm_gets_its_receipt(
    swtpm: Swtpm, receiver: ReceiverProcess, case: Case, tmp_path: Path
) -> None:
    sitting = Sitting(tmp_path / "state", swtpm, receiver, case)
    entry = sitting.seal(sitting.announce())
    assert sitting.protection(entry) == "tpm"
    assert sitting.desk.send(entry).rma == case.rma
    assert sitting.told == []
    assert "kept in the TPM" in receiver.page(case)


def test_an_exchanged_board_is_held_until_staff_confirm_it_and_nothing_is_lost(
    swtpm: Swtpm, receiver: ReceiverProcess, case: Case, tmp_path: Path
) -> None:
    before = Sitting(tmp_path / "state", swtpm, receiver, case)
    late = before.seal(before.announce())
    for exchanged in running(tmp_path / "exchanged"):
        after = Sitting(tmp_path / "state", exchanged, receiver, case)
        with pytest.raises(Quarantined):
            after.announce()
        assert "mainboard was exchanged" in after.told[0]
        entry = after.seal()
        with pytest.raises(Quarantined):
            after.desk.send(entry)
        accept(receiver, case)
        assert after.desk.send(entry).rma == case.rma
        assert after.desk.send(late).rma == case.rma  # sealed with the old board, and still in the outbox


def test_a_tpm_that_died_does_not_keep_a_unit_from_its_case_and_takes_over_again(
    swtpm: Swtpm, receiver: ReceiverProcess, case: Case, tmp_path: Path
) -> None:
    healthy = Sitting(tmp_path / "state", swtpm, receiver, case)
    healthy.announce()
    swtpm.stop()
    broken = Sitting(tmp_path / "state", swtpm, receiver, case)
    entry = broken.seal()
    assert broken.protection(entry) == "file"
    assert broken.told[0] == "the TPM cannot be reached"
    with pytest.raises(Quarantined):
        broken.desk.send(entry)
    accept(receiver, case)
    assert broken.desk.send(entry).rma == case.rma
    swtpm.start()
    again = Sitting(tmp_path / "state", swtpm, receiver, case)
    entry = again.seal(again.announce())
    assert (again.protection(entry), again.told) == ("tpm", [])
    assert again.desk.send(entry).rma == case.rma


def test_a_unit_with_a_key_in_a_file_gets_a_tpm_without_staff(
    swtpm: Swtpm, receiver: ReceiverProcess, case: Case, tmp_path: Path
) -> None:
    """The agent before it knew of TPMs, or a TPM that was switched on in the firmware's settings."""
    swtpm.ask("tpm2_changeauth", "-c", "owner", "secret")
    old = Sitting(tmp_path / "state", swtpm, receiver, case)
    late = old.seal(old.announce())
    assert old.protection(late) == "file"
    swtpm.ask("tpm2_changeauth", "-c", "owner", "-p", "secret")
    new = Sitting(tmp_path / "state", swtpm, receiver, case)
    entry = new.seal(new.announce())
    assert new.protection(entry) == "tpm"
    for each in (entry, late):
        assert new.desk.send(each).rma == case.rma
    assert f"{case.serial} " not in staff(receiver, "conflicts")
