from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.uploader.support import ROOT
from uploader.keys import DeviceKey, KeyUnusable, PublicKey
from uploader.strict_json import Malformed


def test_a_key_is_made_once(tmp_path: Path) -> None:
    made = DeviceKey.load_or_create(tmp_path / "a" / "b")
    again = DeviceKey.load_or_create(tmp_path / "a" / "b")
    assert made.public == again.public
    assert (tmp_path / "a" / "b" / "key.pem").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    assert os.listdir(tmp_path / "a" / "b") == ["key.pem"]
    assert DeviceKey.load_or_create(tmp_path / "c").public != made.public


def test_many_processes_make_one_key(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from uploader.keys import DeviceKey;"
        "key = DeviceKey.load_or_create(pathlib.Path(sys.argv[1]));"
        "print(key.public.keyid, *[key.next_sequence() for _ in range(5)])"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "key")]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = [process.communicate(timeout=60)[0].split() for process in running]
    assert len({output[0] for output in outputs}) == 1
    assert sorted(int(number) for output in outputs for number in output[1:]) == list(range(1, 21))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    DeviceKey.load_or_create(tmp_path)
    (tmp_path / "key.pem").chmod(mode)
    with pytest.raises(KeyUnusable, match="nobody else"):
        DeviceKey.load_or_create(tmp_path)


def test_a_directory_open_to_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").mkdir(mode=0o700)
    (tmp_path / "key").chmod(0o777)
    with pytest.raises(KeyUnusable, match="nobody else"):
        DeviceKey.load_or_create(tmp_path / "key")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file away")
def test_a_key_of_somebody_else_is_refused(tmp_path: Path) -> None:
    DeviceKey.load_or_create(tmp_path)
    os.chown(tmp_path / "key.pem", 12345, -1)
    with pytest.raises(KeyUnusable, match="belong to you"):
        DeviceKey.load_or_create(tmp_path)


def test_links_and_pipes_are_refused(tmp_path: Path) -> None:
    DeviceKey.load_or_create(tmp_path / "real")
    (tmp_path / "link").mkdir(mode=0o700)
    (tmp_path / "link" / "key.pem").symlink_to(tmp_path / "real" / "key.pem")
    (tmp_path / "pipe").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "pipe" / "key.pem", 0o600)
    (tmp_path / "directory").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_text("")
    for name in ["link", "pipe", "directory", "file", "file/under"]:
        with pytest.raises(KeyUnusable):
            DeviceKey.load_or_create(tmp_path / name)


def ec_key() -> bytes:
    return generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 119, b"-----BEGIN PRIVATE KEY-----\n", ec_key(), b"x" * 10_000],
    ids=["empty", "zeros", "its first line", "another kind of key", "long"],
)
def test_a_damaged_key_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    DeviceKey.load_or_create(tmp_path)
    (tmp_path / "key.pem").write_bytes(content)
    with pytest.raises(KeyUnusable, match="damaged"):
        DeviceKey.load_or_create(tmp_path)
    assert (tmp_path / "key.pem").read_bytes() == content


def test_bundles_are_counted_from_one(tmp_path: Path) -> None:
    key = DeviceKey.load_or_create(tmp_path)
    assert [key.next_sequence() for _ in range(3)] == [1, 2, 3]
    assert DeviceKey.load_or_create(tmp_path).next_sequence() == 4
    (tmp_path / "sequence").write_bytes(b"-1")
    with pytest.raises(KeyUnusable, match="damaged"):
        key.next_sequence()


def test_a_public_key_round_trips(key: DeviceKey) -> None:
    assert PublicKey.from_json(key.public.to_json()) == key.public


@pytest.mark.parametrize(
    "change",
    [
        {"keyid": "0" * 64},
        {"keytype": "rsa"},
        {"scheme": "rsassa-pss-sha256"},
        {"keyval": {}},
        {"keyval": {"public": None}},
        {"keyval": {"public": "zz" * 32}},
        {"keyval": {"public": "00" * 31}},
        {"more": 1},
    ],
)
def test_other_public_keys_are_refused(key: DeviceKey, change: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        PublicKey.from_json({**key.public.to_json(), **change})


@settings(max_examples=100, deadline=None)
@given(
    st.none()
    | st.integers()
    | st.dictionaries(
        st.sampled_from(["keyid", "keytype", "scheme", "keyval"]),
        st.none() | st.just("ed25519") | st.text() | st.dictionaries(st.just("public"), st.text()),
    )
)
def test_arbitrary_public_keys_are_refused_and_nothing_else(data: Any) -> None:
    with pytest.raises(Malformed):
        PublicKey.from_json(data)


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from uploader.keys import DeviceKey

root = Path(sys.argv[1])

def die_at(number):
    count = 0
    def counting(real):
        def call(*arguments, **keywords):
            nonlocal count
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **keywords)
        return call
    for name in ["open", "fsync", "replace", "mkdir", "close"]:
        setattr(os, name, counting(getattr(os, name)))

for number in range(1, 1000):
    child = os.fork()
    if child == 0:
        die_at(number)
        key = DeviceKey.load_or_create(root / "key")
        (root / "seen").write_text(key.public.keyid)
        key.next_sequence()
        (root / "counted").write_text("")
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    key = DeviceKey.load_or_create(root / "key")
    if (root / "seen").exists():
        assert (root / "seen").read_text() == key.public.keyid, number
    if (root / "counted").exists():
        assert key.next_sequence() == 2
    assert key.next_sequence() in {1, 2, 3}, number
    shutil.rmtree(root / "key")
    (root / "seen").unlink(missing_ok=True)
    (root / "counted").unlink(missing_ok=True)
    if status == 0:
        break
print(number - 1)
"""


def test_a_kill_at_any_system_call_leaves_a_key_or_none(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10
