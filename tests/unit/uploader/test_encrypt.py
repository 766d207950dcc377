"""Bundles encrypted to the receiver: Debian's age opens them, and whatever fails leaves no file."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.agent_process import aiodiag
from tests.device import Device
from tests.unit.uploader.server import Behaviour, receiver
from uploader.bundle import encrypt as encrypt_module
from uploader.bundle.encrypt import EncryptFailed, encrypt
from uploader.bundle.recipient import check_recipient, read_recipient, sign_recipient
from uploader.bundle.seal import Sealed
from uploader.bundle.verify import BundleRejected
from uploader.http import Nonsense
from uploader.keys import DeviceKey
from uploader.pins import all_pins, read_pin
from uploader.receiver import Receiver
from uploader.strict_json import Malformed, loads


def age(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["/usr/bin/age", *arguments], capture_output=True, check=False, timeout=60)


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    """An identity file of Debian's age-keygen."""
    file = tmp_path / "identity.txt"
    subprocess.run(["/usr/bin/age-keygen", "-o", file], check=True, capture_output=True, timeout=60)
    return file


@pytest.fixture
def recipient(identity: Path) -> str:
    return subprocess.run(
        ["/usr/bin/age-keygen", "-y", identity], check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()


def test_debians_age_opens_it(sealed: Sealed, recipient: str, identity: Path, tmp_path: Path) -> None:
    target = tmp_path / "bundle.age"
    encrypt(sealed.path, target, recipient)
    assert target.stat().st_mode & 0o777 == 0o600
    content = sealed.path.read_bytes()
    assert content[:200] not in target.read_bytes()
    opened = age("--decrypt", "--identity", identity, target)
    assert (opened.returncode, opened.stdout) == (0, content)


def test_a_file_that_is_there_is_replaced_whole(sealed: Sealed, recipient: str, identity: Path, tmp_path: Path) -> None:
    target = tmp_path / "bundle.age"
    target.write_bytes(b"earlier")
    encrypt(sealed.path, target, recipient)
    assert age("--decrypt", "--identity", identity, target).stdout == sealed.path.read_bytes()


@pytest.mark.parametrize("wrong", ["", "age1", "ssh-ed25519 AAAA", "age1" + "q" * 58, "-", "AGE-SECRET-KEY-1"])
def test_what_is_no_recipient_is_refused(sealed: Sealed, wrong: str, tmp_path: Path) -> None:
    with pytest.raises(EncryptFailed, match="is no age key"):
        encrypt(sealed.path, tmp_path / "bundle.age", wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_recipient_has_one_spelling(recipient: str) -> None:
    assert check_recipient(recipient) == recipient
    for other in (recipient.upper(), f" {recipient}", f"{recipient}\n", recipient[:-1]):
        with pytest.raises(Malformed):
            check_recipient(other)


def test_what_is_no_bundle_is_not_encrypted(sealed: Sealed, recipient: str, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    content = bytearray(sealed.path.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(BundleRejected):
        encrypt(damaged, tmp_path / "bundle.age", recipient)
    assert not (tmp_path / "bundle.age").exists()


def test_the_bundle_itself_is_never_replaced(sealed: Sealed, recipient: str, tmp_path: Path) -> None:
    other_name = tmp_path / "link"
    os.link(sealed.path, other_name)
    before = sealed.path.read_bytes()
    for target in (sealed.path, other_name):
        with pytest.raises(EncryptFailed, match="a file of its own"):
            encrypt(sealed.path, target, recipient)
    assert sealed.path.read_bytes() == before


@pytest.mark.parametrize("target", ["nowhere/bundle.age", "identity.txt/bundle.age", "."])
def test_where_nothing_can_be_written_nothing_is(sealed: Sealed, recipient: str, target: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(EncryptFailed, match="nothing was written"):
        encrypt(sealed.path, tmp_path / target, recipient)
    assert sorted(tmp_path.iterdir()) == before


def test_a_full_stick_leaves_no_file(sealed: Sealed, recipient: str, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    script = (
        "import resource, signal, sys; from pathlib import Path; from uploader.bundle.encrypt import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))\n"
        "try: encrypt(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])\n"
        "except EncryptFailed as error: print(error.reason)\n"
    )
    arguments = [sealed.path, small / "bundle.age", recipient]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    assert "nothing was written" in done.stdout
    assert os.strerror(errno.EFBIG) in done.stdout
    assert list(small.iterdir()) == []


def test_a_bundle_that_changes_meanwhile_is_not_sent(
    sealed: Sealed, recipient: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle"
    bundle.write_bytes(sealed.path.read_bytes())
    real = encrypt_module.open_bundle

    def opened_then_changed(path: Path) -> Any:
        opened = real(path)
        with path.open("r+b") as file:
            file.seek(5000)
            file.write(b"?")
        return opened

    monkeypatch.setattr(encrypt_module, "open_bundle", opened_then_changed)
    with pytest.raises(EncryptFailed, match="was changed after"):
        encrypt(bundle, tmp_path / "bundle.age", recipient)
    assert not (tmp_path / "bundle.age").exists()


def test_the_recipient_is_signed_by_the_receiver(recipient: str, key: DeviceKey, tmp_path: Path) -> None:
    told = loads(sign_recipient(recipient, key), max_size=4096, max_depth=4)
    assert read_recipient(told, key.public) == recipient
    other = DeviceKey.load_or_create(tmp_path / "other")
    with pytest.raises(Malformed):
        read_recipient(told, other.public)
    for wrong in (None, {}, [], recipient, {**told, "payloadType": "x"}, {**told, "more": 1}):
        with pytest.raises(Malformed):
            read_recipient(wrong, key.public)
    for payload in ("", "age1", recipient.upper()):
        with pytest.raises(Malformed):
            read_recipient(loads(sign_recipient(payload, key), max_size=4096, max_depth=4), key.public)


def test_it_is_remembered_and_changes_only_at_the_receivers_word(
    recipient: str, key: DeviceKey, tmp_path: Path
) -> None:
    behaviour, state = Behaviour(DeviceKey.load_or_create(tmp_path / "receiver")), tmp_path / "state"
    with receiver(behaviour) as url:
        assert Receiver(url, state).info().recipient is None
        assert [pin.recipient for pin in all_pins(state)] == [None]
        behaviour.recipient = sign_recipient(recipient, behaviour.key)
        assert Receiver(url, state).info().recipient == recipient
        behaviour.recipient = sign_recipient(recipient, key)
        with pytest.raises(Nonsense):
            Receiver(url, state).info()
        behaviour.recipient = b""
        assert Receiver(url, state).info().recipient is None
    pin = read_pin(state, url)
    assert pin is not None
    assert (pin.base_url, pin.key, pin.recipient) == (url, behaviour.key.public, recipient)


def test_on_the_command_line(recipient: str, identity: Path, tmp_path: Path) -> None:
    state, target = tmp_path / "state", tmp_path / "out.age"
    bundle = Device(state, "HB24A0017").bundle(None).path
    state.chmod(0o700)
    arguments = ["bundle", "encrypt", str(bundle), "-o", str(target)]
    untold = aiodiag(state, *arguments)
    assert (untold.status, untold.out) == (2, "")
    assert untold.err == "aiodiag: this unit was not told the receiver's age key yet; give it with --recipient\n"
    assert not target.exists()
    given = aiodiag(state, *arguments, "--recipient", recipient, "--json")
    assert (given.status, given.json()["encrypted"]) == (0, str(target))
    target.unlink()
    behaviour = Behaviour(DeviceKey.load_or_create(tmp_path / "receiver"))
    behaviour.recipient = sign_recipient(recipient, behaviour.key)
    with receiver(behaviour) as url:
        Receiver(url, state).info()
    assert aiodiag(state, *arguments, "--server", "http://127.0.0.1:1").status == 2
    for more in ([], ["--server", url]):
        done = aiodiag(state, *arguments, *more)
        assert (done.status, done.out, done.err) == (0, f"{target}\n", "")
        assert age("--decrypt", "--identity", identity, target).stdout == bundle.read_bytes()
        target.unlink()
    with receiver(behaviour) as second:
        Receiver(second, state).info()
    assert "--server" in aiodiag(state, *arguments).err
    assert not target.exists()
