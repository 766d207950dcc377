"""A device key in a real TPM 2.0 (swtpm): made again from nothing, and what becomes of a TPM that will not."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.tools import PROGRAMS, Program
from tests.swtpm import Swtpm, running
from tests.unit.uploader.support import BINDING, write_run
from uploader import dsse
from uploader.bundle.seal import seal
from uploader.bundle.verify import open_bundle
from uploader.device_key import TpmKey, device_key
from uploader.keys import DeviceKey, KeyUnusable
from uploader.tpm import Tpm, TpmUnusable

SERIAL = "HB24A0017"


@pytest.fixture
def swtpm(tmp_path: Path) -> Iterator[Swtpm]:
    yield from running(tmp_path / "swtpm")


class Unit:
    """A unit's key directory, and what a person was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "key"
        self.told: list[str] = []

    def key(self, swtpm: Swtpm, serial: str = SERIAL, answer_s: float = 60.0) -> DeviceKey | TpmKey:
        """What is chosen now; ``told`` is what was said to it."""
        self.told.clear()
        tpm = swtpm.tpm(self.folder / "tpm", answer_s)
        return device_key(self.folder, serial, tpm, lambda text: self.told.append(str(text)))


@pytest.fixture
def unit(tmp_path: Path) -> Unit:
    return Unit(tmp_path)


def test_the_key_is_the_same_after_a_restart_and_no_file_holds_it(swtpm: Swtpm, tmp_path: Path) -> None:
    first = swtpm.tpm(tmp_path / "a").public()
    swtpm.stop()
    swtpm.start()
    assert swtpm.tpm(tmp_path / "b").public() == first
    assert [path.name for path in (tmp_path / "a").iterdir()] == []


def test_a_key_signs_again_after_its_tpm_was_reset(swtpm: Swtpm, unit: Unit) -> None:
    key = unit.key(swtpm)
    for _ in range(2):
        swtpm.stop()
        swtpm.start()
        signed = dsse.sign(b"x", "application/x", key)
        assert dsse.verify(signed, "application/x", key.public, max_size=4096) == b"x"


def test_another_tpm_has_another_key(swtpm: Swtpm, tmp_path: Path) -> None:
    for other in running(tmp_path / "other"):
        assert other.tpm(tmp_path / "a").public() != swtpm.tpm(tmp_path / "b").public()


def test_a_bundle_sealed_by_a_tpm_verifies(swtpm: Swtpm, unit: Unit, tmp_path: Path) -> None:
    key = unit.key(swtpm)
    assert isinstance(key, TpmKey)
    assert unit.told == []
    sealed = seal(write_run(tmp_path / "run"), tmp_path / "out", key, BINDING)
    with open_bundle(sealed.path, key=key.public) as bundle:
        assert (bundle.statement.run.key_protection, bundle.statement.run.sequence) == ("tpm", 1)
    assert not (unit.folder / "key.pem").exists()
    again = unit.key(swtpm)
    assert (again.public, unit.told, again.next_sequence()) == (key.public, [], 2)


def test_nothing_is_left_in_the_tpm(swtpm: Swtpm, unit: Unit) -> None:
    """It has three places for objects: a fourth key that was not let go of would not fit."""
    key = unit.key(swtpm)
    for number in range(3):
        envelope = dsse.sign(b"%d" % number, "application/x", key)
        assert dsse.verify(envelope, "application/x", key.public, max_size=10_000) == b"%d" % number


def test_one_asks_at_a_time(swtpm: Swtpm, unit: Unit) -> None:
    """Two starts of the agent on one unit."""
    keys = [unit.key(swtpm) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        envelopes = list(pool.map(lambda key: dsse.sign(b"x", "application/x", key), keys))
    for envelope in envelopes:
        assert dsse.verify(envelope, "application/x", keys[0].public, max_size=10_000) == b"x"


def test_a_lockout_after_wrong_passwords_does_not_lock_the_key(swtpm: Swtpm, unit: Unit, tmp_path: Path) -> None:
    key = unit.key(swtpm)
    swtpm.ask("tpm2_dictionarylockout", "-s", "-n", "1", "-t", "1000", "-l", "1000")
    theirs = f"{tmp_path}/theirs"
    swtpm.ask("tpm2_createprimary", "-Q", "-C", "o", "-c", theirs, "-p", "right")
    made = ["-u", f"{tmp_path}/public", "-r", f"{tmp_path}/private"]
    swtpm.ask("tpm2_create", "-Q", "-C", theirs, "-P", "wrong", *made, refused=True)
    assert re.search(r"inLockout: +1", swtpm.ask("tpm2_getcap", "properties-variable"))
    assert dsse.sign(b"x", "application/x", key)
    assert unit.key(swtpm).public == key.public


def test_an_owner_password_before_the_first_use_means_a_key_in_a_file(swtpm: Swtpm, unit: Unit) -> None:
    swtpm.ask("tpm2_changeauth", "-c", "owner", "secret")
    key = unit.key(swtpm)
    assert isinstance(key, DeviceKey)
    assert unit.told == ["the TPM has an owner password", "this unit's key is therefore kept in a file"]
    assert unit.key(swtpm).public == key.public
    assert unit.told == []


def test_an_owner_password_after_the_first_use_is_no_silent_other_device(swtpm: Swtpm, unit: Unit) -> None:
    before = unit.key(swtpm)
    swtpm.ask("tpm2_changeauth", "-c", "owner", "secret")
    key = unit.key(swtpm)
    assert (type(key), key.protection) == (DeviceKey, "file")
    assert unit.told[0] == "the TPM has an owner password"
    assert "must confirm" in str(unit.told) or "confirmed" in str(unit.told)
    signed = dsse.sign(b"x", "application/x", before)  # the key that was made before the password came goes on
    assert dsse.verify(signed, "application/x", before.public, max_size=4096) == b"x"
    swtpm.stop()
    swtpm.start()
    with pytest.raises(TpmUnusable, match="owner password"):
        dsse.sign(b"x", "application/x", before)
    swtpm.ask("tpm2_changeauth", "-c", "owner", "-p", "secret")
    back = unit.key(swtpm)
    assert isinstance(back, TpmKey)
    assert (back.public, unit.told) == (before.public, [])
    assert back.earlier is not None
    assert back.earlier.public == key.public


def test_an_owner_hierarchy_that_is_switched_off_is_told(swtpm: Swtpm, unit: Unit) -> None:
    swtpm.ask("tpm2_hierarchycontrol", "-C", "p", "shEnable", "clear")
    assert isinstance(unit.key(swtpm), DeviceKey)
    assert unit.told[0] == "the TPM's owner hierarchy is switched off"


def test_a_cleared_tpm_is_noticed(swtpm: Swtpm, unit: Unit) -> None:
    before = unit.key(swtpm)
    swtpm.ask("tpm2_clear", "-c", "p")
    with pytest.raises(TpmUnusable, match="another key than before"):
        dsse.sign(b"x", "application/x", before)
    after = unit.key(swtpm)
    assert isinstance(after, TpmKey)
    assert after.public != before.public
    assert unit.told[0] == "the TPM has another key than before: it was cleared, or the mainboard was exchanged"
    unit.key(swtpm)
    assert unit.told == []


def test_a_stick_that_goes_to_another_unit_tells_of_no_exchanged_mainboard(
    swtpm: Swtpm, unit: Unit, tmp_path: Path
) -> None:
    mine = unit.key(swtpm)
    for other in running(tmp_path / "other"):
        theirs = unit.key(other, "HB24A0018")
        assert isinstance(theirs, TpmKey)
        assert (theirs.public != mine.public, unit.told) == (True, [])
    assert (unit.key(swtpm).public, unit.told) == (mine.public, [])


def test_a_key_in_a_file_gives_way_to_the_tpm_and_vouches_for_it(swtpm: Swtpm, unit: Unit) -> None:
    old = DeviceKey.load_or_create(unit.folder)
    key = unit.key(swtpm)
    assert isinstance(key, TpmKey)
    assert key.earlier is not None
    assert (key.earlier.public, unit.told) == (old.public, [])


def test_a_tpm_that_is_gone_in_the_middle_of_a_signature_gives_none(swtpm: Swtpm, unit: Unit) -> None:
    key = unit.key(swtpm)
    assert swtpm.process is not None
    os.kill(swtpm.process.pid, signal.SIGSTOP)  # the tools have connected, and wait, when it goes
    killing = threading.Timer(1.0, swtpm.process.kill)
    killing.start()
    try:
        with pytest.raises(TpmUnusable):
            dsse.sign(b"x", "application/x", key)
    finally:
        killing.join()
    assert isinstance(unit.key(swtpm), DeviceKey)
    assert unit.told[0] == "the TPM cannot be reached"
    swtpm.stop()
    swtpm.start()
    assert unit.key(swtpm).public == key.public


def test_a_tpm_that_hangs_is_not_waited_for_longer_than_it_may_take(swtpm: Swtpm, unit: Unit) -> None:
    """A port that takes the connection and says nothing, where the commands go; swtpm's own answers the control."""
    assert swtpm.process is not None
    os.kill(swtpm.process.pid, signal.SIGSTOP)
    key = unit.key(swtpm, answer_s=1.0)
    assert isinstance(key, DeviceKey)
    assert unit.told == ["the TPM does not answer", "this unit's key is therefore kept in a file"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        tpm = Tpm(unit.folder / "tpm", f"swtpm:host=127.0.0.1,port={silent.getsockname()[1]}", 1.0)
        with pytest.raises(TpmUnusable):
            tpm.public()


def test_no_tpm_and_a_tpm_for_others_are_no_fault(tmp_path: Path) -> None:
    unit = Unit(tmp_path)
    for device in ("/nonexistent/tpmrm0", str(tmp_path)):
        tpm = Tpm(unit.folder / "tpm", f"device:{device}")
        with pytest.raises(TpmUnusable) as caught:
            tpm.public()
        assert caught.value.absent
        key = device_key(unit.folder, SERIAL, tpm, lambda text: pytest.fail(str(text)))
        assert isinstance(key, DeviceKey)
    assert (unit.folder.stat().st_mode & 0o777, os.listdir(unit.folder)) == (0o700, ["key.pem"])


def test_without_tpm2_tools_the_key_is_in_a_file_and_the_reason_is_told(
    unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROGRAMS, "tpm2_createprimary", Program(("/nonexistent/x",), "tpm2-tools", "test"))
    told: list[str] = []
    tpm = Tpm(unit.folder / "tpm", "swtpm:host=127.0.0.1,port=1")
    assert isinstance(device_key(unit.folder, SERIAL, tpm, lambda text: told.append(str(text))), DeviceKey)
    assert told[0] == "tpm2_createprimary is not installed"


def test_a_tpm_that_makes_a_key_and_does_not_sign_is_none(
    swtpm: Swtpm, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROGRAMS, "tpm2_sign", Program(("/nonexistent/x",), "tpm2-tools", "test"))
    assert isinstance(unit.key(swtpm), DeviceKey)
    assert unit.told[0] == "tpm2_sign is not installed"


def test_a_wrong_signature_is_not_used(swtpm: Swtpm, unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that signs nothing, in the place of the one that signs."""
    monkeypatch.setitem(PROGRAMS, "tpm2_sign", Program(("/bin/true",), "tpm2-tools", "test"))
    assert isinstance(unit.key(swtpm), DeviceKey)
    assert unit.told[0] == "the TPM gives signatures that are wrong"


def test_the_environment_does_not_choose_the_tpm(swtpm: Swtpm, unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    """tpm2-tools take one from there where no other was named."""
    monkeypatch.setenv("TPM2TOOLS_TCTI", swtpm.tcti)
    monkeypatch.setenv("TPM2OPENSSL_TCTI", swtpm.tcti)
    with pytest.raises(TpmUnusable):
        Tpm(unit.folder / "tpm", "device:/nonexistent/tpmrm0").public()
    with pytest.raises(TpmUnusable):
        Tpm(unit.folder / "tpm", "swtpm:host=127.0.0.1,port=1").public()


def test_a_damaged_memory_of_the_key_is_no_first_use(swtpm: Swtpm, unit: Unit) -> None:
    unit.key(swtpm)
    [memory] = unit.folder.glob("tpm-*.json")
    for content in (b"", b"{}", b"\xff" * 5000):
        memory.write_bytes(content)
        with pytest.raises(KeyUnusable, match="damaged"):
            unit.key(swtpm)
    memory.unlink()
    memory.symlink_to("/dev/null")
    with pytest.raises(KeyUnusable, match="nobody else"):
        unit.key(swtpm)


def test_what_a_killed_agent_left_is_in_nobodys_way(swtpm: Swtpm, unit: Unit) -> None:
    work = unit.folder / "tpm" / "work"
    work.mkdir(parents=True)
    (work / "public").write_text("old")
    unit.folder.chmod(0o700)
    (unit.folder / "tpm").chmod(0o700)
    assert isinstance(unit.key(swtpm), TpmKey)
    assert not work.exists()


def test_its_clock_is_signed_along_and_counts_resets(swtpm: Swtpm, unit: Unit, tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    clocks = []
    for number in range(2):
        key = unit.key(swtpm)
        sealed = seal(tmp_path / "run", tmp_path / f"bundles-{number}", key, BINDING)
        with open_bundle(sealed.path) as bundle:
            clocks.append(bundle.statement.run.clocks.tpm)
        swtpm.stop()
        swtpm.start()
    first, second = clocks
    assert first is not None
    assert second is not None
    assert second.reset_count == first.reset_count + 1
    assert first.safe


def test_a_clock_that_is_not_told_keeps_nobody_from_sealing(
    swtpm: Swtpm, unit: Unit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = unit.key(swtpm)
    for program in ("/nonexistent/x", "/bin/true", "/bin/false"):
        monkeypatch.setitem(PROGRAMS, "tpm2_readclock", Program((program,), "tpm2-tools", "test"))
        assert key.clock() is None
    write_run(tmp_path / "run")
    with open_bundle(seal(tmp_path / "run", tmp_path / "bundles", key, BINDING).path) as bundle:
        assert bundle.statement.run.clocks.tpm is None
