"""Our TPM2_MakeCredential against real TPMs (swtpm) and against that of tpm2-tools."""

from __future__ import annotations

import hashlib
import hmac
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from server_stub.tpm.areas import EkPublic, check_ek, name_of_device_key
from server_stub.tpm.credential import kdfa, make_credential, tpm2b
from tests.swtpm import Swtpm, needs_swtpm, running
from tests.tpm_maker import Maker, certified, ek_of, put_in
from uploader.endorsement import Endorsement, activated, endorsement
from uploader.tpm import Tpm, TpmUnusable

SECRET = bytes(range(32))
KINDS = ("rsa", "ecc")


@pytest.fixture(scope="module")
def swtpm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swtpm]:
    """Without a certificate."""
    yield from running(tmp_path_factory.mktemp("swtpm"))


@pytest.fixture(scope="module", params=KINDS)
def certified_tpm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swtpm]:
    """With a certificate for one of the two endorsement keys."""
    for swtpm in running(tmp_path_factory.mktemp("swtpm")):
        certified(swtpm, Maker(), tmp_path_factory.mktemp("maker"), request.param)
        yield swtpm


def shown_by(swtpm: Swtpm, folder: Path) -> tuple[Tpm, Endorsement, EkPublic]:
    """What a TPM shows, and its endorsement key."""
    tpm = swtpm.tpm(folder / "key")
    shown = endorsement(tpm, tpm.public())
    kind = "rsa" if len(shown.public) > 200 else "ecc"
    return tpm, shown, ek_of(swtpm, kind, folder)


def test_a_tpm_opens_what_is_made_for_it_and_its_key(certified_tpm: Swtpm, tmp_path: Path) -> None:
    tpm, shown, ek = shown_by(certified_tpm, tmp_path)
    key = tpm.public()
    check_ek(shown.public, ek)
    name = name_of_device_key(shown.key_public, key)
    made = make_credential(ek, name, SECRET)
    assert activated(tpm, key, shown, made.blob, made.seed) == SECRET
    assert activated(tpm, key, shown, made.blob, made.seed) == SECRET


def test_the_name_is_the_one_that_the_tpm_gives(certified_tpm: Swtpm, tmp_path: Path) -> None:
    tpm, shown, _ = shown_by(certified_tpm, tmp_path)
    (tmp_path / "public").write_bytes(shown.key_public)
    certified_tpm.ask(
        "tpm2_loadexternal", "-C", "n", "-u", f"{tmp_path}/public", "-c", f"{tmp_path}/object", "-n", f"{tmp_path}/name"
    )
    assert (tmp_path / "name").read_bytes() == name_of_device_key(shown.key_public, tpm.public())


def test_a_tpm_opens_nothing_for_another_name(certified_tpm: Swtpm, tmp_path: Path) -> None:
    tpm, shown, ek = shown_by(certified_tpm, tmp_path)
    made = make_credential(ek, b"\0\x0b" + hashlib.sha256(b"another").digest(), SECRET)
    with pytest.raises(TpmUnusable):
        activated(tpm, tpm.public(), shown, made.blob, made.seed)


def test_another_tpm_opens_nothing(certified_tpm: Swtpm, swtpm: Swtpm, tmp_path: Path) -> None:
    tpm, shown, ek = shown_by(certified_tpm, tmp_path)
    other = ek_of(swtpm, "rsa" if isinstance(ek, rsa.RSAPublicKey) else "ecc", tmp_path)
    made = make_credential(other, name_of_device_key(shown.key_public, tpm.public()), SECRET)
    with pytest.raises(TpmUnusable):
        activated(tpm, tpm.public(), shown, made.blob, made.seed)


@pytest.mark.parametrize("size", [0, 1, 16, 31, 32])
def test_ours_opens_what_tpm2_tools_make(size: int, tmp_path: Path) -> None:
    """By a private endorsement key that no TPM would tell, and our key derivation."""
    needs_swtpm()
    private = rsa.generate_private_key(65537, 2048)
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    name = b"\0\x0b" + hashlib.sha256(b"some key").digest()
    (tmp_path / "ek").write_bytes(pem)
    (tmp_path / "secret").write_bytes(SECRET[:size])
    files = ["-u", f"{tmp_path}/ek", "-s", f"{tmp_path}/secret", "-o", f"{tmp_path}/made"]
    command = ["tpm2_makecredential", "-T", "none", "-G", "rsa", "-n", name.hex(), *files]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    made = (tmp_path / "made").read_bytes()[8:]
    blob, rest = _first(made)
    wrapped, rest = _first(rest)
    assert rest == b""
    seed = private.decrypt(wrapped, OAEP(MGF1(SHA256()), SHA256(), b"IDENTITY\0"))
    integrity, identity = _first(blob)
    assert integrity == hmac.digest(kdfa(seed, b"INTEGRITY", b"", 256), identity + name, "sha256")
    cipher = Cipher(AES128(kdfa(seed, b"STORAGE", name, 128)), CFB(bytes(16))).decryptor()
    assert cipher.update(identity) + cipher.finalize() == tpm2b(SECRET[:size])


def test_a_tpm_without_a_certificate_shows_nothing(swtpm: Swtpm, tmp_path: Path) -> None:
    tpm = swtpm.tpm(tmp_path / "key")
    assert endorsement(tpm, tpm.public()) == Endorsement()


def test_what_fills_the_place_of_a_certificate_up_is_not_shown(tmp_path: Path) -> None:
    for swtpm in running(tmp_path / "swtpm"):
        made = Maker().certificate(ek_of(swtpm, "ecc", tmp_path))
        put_in(swtpm, "ecc", made + b"\xff" * 100, tmp_path)
        tpm = swtpm.tpm(tmp_path / "key")
        assert endorsement(tpm, tpm.public()).certificate == made


def test_an_endorsement_hierarchy_with_a_password_is_told(tmp_path: Path) -> None:
    for swtpm in running(tmp_path / "swtpm"):
        certified(swtpm, Maker(), tmp_path, "ecc")
        swtpm.ask("tpm2_changeauth", "-c", "endorsement", "secret")
        tpm = swtpm.tpm(tmp_path / "key")
        with pytest.raises(TpmUnusable, match="endorsement hierarchy has a password"):
            endorsement(tpm, tpm.public())


def _first(sized: bytes) -> tuple[bytes, bytes]:
    """A TPM2B and what follows it."""
    end = 2 + int.from_bytes(sized[:2], "big")
    return sized[2:end], sized[end:]
