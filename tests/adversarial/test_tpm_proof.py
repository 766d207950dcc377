"""Who claims that a key is in a TPM: endorsement keys, public areas, secrets, and TPMs of other units."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import select

from server_stub.clock import now
from server_stub.db import Nonce, TpmChallenge
from server_stub.tpm.makers import Makers
from server_stub.tpm.proofs import TO_ANSWER
from server_stub.unit_word import FRESH
from tests.adversarial.test_enrolment import staff
from tests.adversarial.tpm_attacks import (
    MAKER,
    OTHER_SERIAL,
    PROVEN,
    SERIAL,
    TOFU,
    board,
    receiver,
    refused,
    swtpm,
    unit,
)
from tests.device import Device
from tests.p256_key import P256Key
from tests.swtpm import Swtpm, running
from tests.tpm_maker import certified, ek_of
from tests.tpm_unit import Board, Proving, coded
from tests.unit.server.conftest import Bench, problem
from uploader.receiver import ANSWER_TYPE, rotation
from uploader.tpm import TpmUnusable

__all__ = ["board", "receiver", "swtpm", "unit"]

pytestmark = pytest.mark.adversarial


def test_what_is_right_is_believed(unit: Proving) -> None:
    """What the cases below differ from, each in one thing."""
    assert unit.prove().status_code == 200
    assert unit.known == PROVEN


# Endorsement keys and public areas.


def test_endorsement_key_of_another_tpm(unit: Proving, tmp_path: Path) -> None:
    """Somebody else's certificate, which is no secret, with one's own TPM."""
    for other in running(tmp_path / "other"):
        theirs = MAKER.certificate(ek_of(other, "ecc", tmp_path))
        refused(unit, unit.but(certificate=theirs).challenge(), "other-tpm")


def test_endorsement_key_and_certificate_of_another_tpm(unit: Proving, tmp_path: Path) -> None:
    """Both are that TPM's: so it alone could read the secret, and the one of the key cannot."""
    for other in running(tmp_path / "other"):
        certified(other, MAKER, tmp_path, "ecc")
        theirs = Board.of(other, tmp_path / "board").shown
        mixed = unit.but(certificate=theirs.certificate, public=theirs.public)
        given = mixed.challenge()
        with pytest.raises(TpmUnusable):
            mixed.secret(given)
        refused(unit, unit.answer(given, coded(bytes(32))), "wrong-answer")


def test_endorsement_key_that_is_no_restricted_one(unit: Proving) -> None:
    """One that would decrypt for anybody."""
    area = bytearray(unit.shown.public)
    area[7] &= ~1  # restricted: bit 16 of the attributes
    refused(unit, unit.but(public=bytes(area)).challenge(), "other-template")


@pytest.mark.parametrize("bit", [1, 4, 5, 18], ids=["fixedTPM", "fixedParent", "sensitiveDataOrigin", "sign"])
def test_public_area_without(bit: int, unit: Proving) -> None:
    refused(unit, unit.but(key_public=flipped(unit.shown.key_public, bit)).challenge(), "not-fixed")


@pytest.mark.parametrize("bit", [0, 2, 7, 11, 16, 17, 19, 31])
def test_public_area_with(bit: int, unit: Proving) -> None:
    """Among them restricted, decrypt and encryptedDuplication, and bits that have no meaning."""
    refused(unit, unit.but(key_public=flipped(unit.shown.key_public, bit)).challenge(), "not-fixed")


def test_public_area_that_lies_of_its_attributes(unit: Proving) -> None:
    """It is accepted as it looks, and has another name than what the TPM holds."""
    lying = unit.but(key_public=flipped(unit.shown.key_public, 10))
    given = lying.challenge()
    with pytest.raises(TpmUnusable):
        lying.secret(given)


def test_public_area_of_another_key(unit: Proving) -> None:
    other = bytes.fromhex(P256Key().public.raw_hex)
    area = unit.shown.key_public[:-67] + b"\x20" + other[1:33] + b"\0\x20" + other[33:]
    assert len(area) == len(unit.shown.key_public)
    refused(unit, unit.but(key_public=area).challenge(), "other-key")


@pytest.mark.parametrize("name", ["key_public", "public"])
@pytest.mark.parametrize("content", [b"", b"\0", b"\0\0", b"\xff\xff", bytes(600)])
def test_public_area_of_a_wrong_size(name: str, content: bytes, unit: Proving) -> None:
    problem(unit.but(**{name: content}).challenge(), 403, "not-proven")
    right = getattr(unit.shown, name)
    for wrong in (right + content, right[:-1], right[:2] + b"\0" + right[2:], b"\xff" + right[1:]):
        if wrong != right:
            problem(unit.but(**{name: wrong}).challenge(), 403, "not-proven")
    assert unit.known[:2] == TOFU


def test_software_key_with_a_made_up_public_area(receiver: Bench, unit: Proving, swtpm: Swtpm, tmp_path: Path) -> None:
    """The attacker has a good TPM with a good certificate, and the private key in a file. The TPM takes the public area
    alone, or both with true attributes; neither reads the secret.
    """
    key = P256Key()
    rma = receiver.open_case(OTHER_SERIAL).case.rma
    point = bytes.fromhex(key.public.raw_hex)
    area = unit.shown.key_public[:-67] + b"\x20" + point[1:33] + b"\0\x20" + point[33:]
    attacker = Proving(receiver, Device(tmp_path / "attacker", OTHER_SERIAL, key), rma, unit.but(key_public=area).shown)
    given = attacker.challenge()
    assert given.status_code == 200
    blob, seed = (base64.b64decode(given.json()[name]) for name in ("credential", "seed"))
    (tmp_path / "area").write_bytes(area)
    (tmp_path / "private").write_bytes(
        key.private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    (tmp_path / "given").write_bytes(bytes.fromhex("badcc0de00000001") + blob + seed)
    (tmp_path / "ek").write_bytes(unit.shown.context)
    fixed = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign"
    whole = ["tpm2_loadexternal", "-C", "n", "-G", "ecc", "-r", f"{tmp_path}/private"]
    swtpm.ask(*whole, "-a", fixed, "-c", f"{tmp_path}/whole", refused=True)
    swtpm.ask(*whole, "-a", "userwithauth|noda|sign", "-c", f"{tmp_path}/whole")
    swtpm.ask("tpm2_loadexternal", "-C", "n", "-u", f"{tmp_path}/area", "-c", f"{tmp_path}/bare")
    for loaded in ("whole", "bare"):
        session = f"{tmp_path}/session"
        swtpm.ask("tpm2_startauthsession", "--policy-session", "-S", session)
        swtpm.ask("tpm2_policysecret", "-S", session, "-c", "e")
        words = ["-c", f"{tmp_path}/{loaded}", "-C", f"{tmp_path}/ek", "-P", f"session:{session}"]
        files = ["-i", f"{tmp_path}/given", "-o", f"{tmp_path}/secret"]
        swtpm.ask("tpm2_activatecredential", *words, *files, refused=True)
        swtpm.ask("tpm2_flushcontext", session)
        assert not (tmp_path / "secret").exists()
    assert attacker.known[:2] == TOFU


# Secrets.


def test_secret_that_is_guessed(unit: Proving) -> None:
    """One guess, and the right one comes too late."""
    given = unit.challenge()
    right = unit.secret(given)
    refused(unit, unit.answer(given, coded(bytes(32))), "wrong-answer")
    problem(unit.answer(given, right), 409, "conflict")
    assert unit.known[:2] == TOFU


@pytest.mark.parametrize("size", [0, 1, 31, 33, 1000])
def test_secret_of_a_wrong_size(size: int, unit: Proving) -> None:
    given = unit.challenge()
    right = base64.b64decode(unit.secret(given))
    refused(unit, unit.answer(given, coded((right * 40)[:size])), "wrong-answer")


def test_secret_that_is_played_again(unit: Proving) -> None:
    """After it was believed, and for the next challenge."""
    given = unit.challenge()
    secret = unit.secret(given)
    assert unit.answer(given, secret).status_code == 200
    problem(unit.answer(given, secret), 409, "conflict")
    assert unit.known == PROVEN


def test_secret_of_an_earlier_challenge(unit: Proving) -> None:
    earlier = unit.challenge()
    secret = unit.secret(earlier)
    later = unit.challenge()
    assert later.json()["challenge"] != earlier.json()["challenge"]
    refused(unit, unit.answer(later, secret), "wrong-answer")


def test_secret_of_another_units_challenge(unit: Proving, tmp_path: Path) -> None:
    unit.bench.nonce(unit.device, unit.rma)
    for other in running(tmp_path / "other"):
        certified(other, MAKER, tmp_path, "ecc")
        theirs = Board.of(other, tmp_path / "board").unit(unit.bench, tmp_path / "theirs", OTHER_SERIAL)
        given = theirs.challenge()
        problem(unit.answer(given, theirs.secret(given)), 409, "conflict")
        assert (unit.known, theirs.known) == ((*TOFU, ""), (*TOFU, ""))
        assert theirs.answer(given, theirs.secret(given)).status_code == 200


def test_secret_for_another_case_of_the_unit(unit: Proving) -> None:
    other = Proving(unit.bench, unit.device, unit.bench.open_case(SERIAL).case.rma, unit.shown)
    given = unit.challenge()
    problem(other.answer(given, unit.secret(given)), 409, "conflict")


def test_secret_that_comes_too_late(unit: Proving) -> None:
    given = unit.challenge()
    with unit.bench.receiver.db.write() as session:
        session.get_one(TpmChallenge, given.json()["challenge"]).created = now() - TO_ANSWER - timedelta(seconds=1)
    problem(unit.answer(given, unit.secret(given)), 409, "conflict")
    assert unit.known == (*TOFU, "")


def test_secret_that_is_answered_by_another_key(unit: Proving) -> None:
    given = unit.challenge()
    problem(unit.answer(given, unit.secret(given), P256Key()), 403, "not-enrolled")


def test_secret_of_a_key_that_was_revoked_meanwhile(unit: Proving) -> None:
    given = unit.challenge()
    staff(unit.bench, "revoke-key", unit.device)
    problem(unit.answer(given, unit.secret(given)), 403, "not-enrolled")
    assert unit.known[:2] == ("revoked", "tofu")


def test_secret_is_in_no_answer_and_not_in_the_database(unit: Proving) -> None:
    given = unit.challenge()
    secret = base64.b64decode(unit.secret(given))
    with unit.bench.receiver.db.read() as session:
        [row] = session.scalars(select(TpmChallenge)).all()
        assert secret.hex() not in str(vars(row))
    assert secret not in base64.b64decode(given.json()["credential"])


@pytest.mark.parametrize("challenge", ["", "0" * 32, "%", "\0", "../x", "x" * 5000])
def test_challenge_that_was_never_given(challenge: str, unit: Proving) -> None:
    unit.bench.nonce(unit.device, unit.rma)
    problem(unit.said("tpm-answer", ANSWER_TYPE, challenge=challenge, secret=coded(bytes(32))), 409, "conflict")


# Nonces, senders, and requests that are none.


def test_challenge_for_a_nonce_that_had_one(unit: Proving) -> None:
    nonce = unit.bench.nonce(unit.device, unit.rma)
    assert unit.challenge(nonce).status_code == 200
    problem(unit.challenge(nonce), 409, "conflict")


def test_challenge_for_a_nonce_that_is_old_or_nobodys(unit: Proving) -> None:
    nonce = unit.bench.nonce(unit.device, unit.rma)
    with unit.bench.receiver.db.write() as session:
        session.get_one(Nonce, nonce).issued = now() - FRESH - timedelta(seconds=1)
    for wrong in (nonce, "", "0" * 32, "\0"):
        problem(unit.challenge(wrong), 409, "conflict")


def test_challenge_that_another_key_asks_for(unit: Proving) -> None:
    problem(unit.challenge(None, P256Key()), 403, "not-enrolled")


def test_challenge_for_another_units_case(unit: Proving) -> None:
    other = unit.bench.open_case(OTHER_SERIAL).case.rma
    nonce = unit.bench.nonce(unit.device, unit.rma)
    problem(Proving(unit.bench, unit.device, other, unit.shown).challenge(nonce), 404, "unknown-case")
    problem(unit.challenge(nonce, rma=other), 400, "bad-request")


@pytest.mark.parametrize("changed", [{"ek_public": "%%%"}, {"key_public": "AAA"}, {"more": "x"}])
def test_challenge_that_is_no_request(changed: dict[str, str], unit: Proving) -> None:
    problem(unit.challenge(**changed), 400, "bad-request")


def test_challenge_for_a_key_in_a_file(receiver: Bench, unit: Proving, tmp_path: Path) -> None:
    """Nobody asks for it, and nobody gives it."""
    device = receiver.device(OTHER_SERIAL, "file")
    rma = receiver.open_case(OTHER_SERIAL).case.rma
    assert receiver.enrol(device, rma).json()["proof"] is None
    problem(Proving(receiver, device, rma, unit.shown).challenge(), 409, "conflict")


def test_challenge_of_a_receiver_that_knows_no_maker(unit: Proving) -> None:
    unit.bench.receiver.makers = Makers([])
    assert unit.bench.enrol(unit.device, unit.rma).json()["proof"] is None
    refused(unit, unit.challenge(), "no-makers")


# TPMs of other units.


def moved(unit: Proving, board: Board, tmp_path: Path) -> Proving:
    """The same TPM, in another unit, after it proved itself as the first one's."""
    assert unit.prove().status_code == 200
    other = board.unit(unit.bench, tmp_path / "moved", OTHER_SERIAL)
    problem(other.prove(), 403, "quarantined")
    return other


def test_tpm_of_another_unit_waits_for_staff(unit: Proving, board: Board, tmp_path: Path) -> None:
    other = moved(unit, board, tmp_path)
    assert unit.known == PROVEN
    assert other.known == ("quarantined", "tofu", "of-another-unit")
    problem(unit.bench.enrol(other.device, other.rma), 403, "quarantined")
    bundle = other.device.bundle(other.rma).path.read_bytes()
    problem(unit.bench.receipt(unit.bench.upload(other.rma, OTHER_SERIAL, bundle)), 422, "bundle-rejected")


def test_tpm_of_another_unit_that_staff_let_it_have(unit: Proving, board: Board, tmp_path: Path) -> None:
    """A board that was put into another unit: what speaks from within it is that unit's alone."""
    other = moved(unit, board, tmp_path)
    staff(unit.bench, "accept-key", other.device)
    assert other.known == PROVEN
    assert unit.known[0] == "replaced"
    problem(unit.bench.enrol(unit.device, unit.rma), 403, "quarantined")
    assert unit.bench.enrol(other.device, other.rma).json()["status"] == "enrolled"


def test_tpm_of_another_unit_that_comes_back(unit: Proving, board: Board, tmp_path: Path) -> None:
    other = moved(unit, board, tmp_path)
    staff(unit.bench, "accept-key", other.device)
    staff(unit.bench, "accept-key", unit.device)
    assert unit.known == PROVEN
    assert other.known[0] == "replaced"


def test_tpm_of_another_unit_that_staff_refuse(unit: Proving, board: Board, tmp_path: Path) -> None:
    other = moved(unit, board, tmp_path)
    staff(unit.bench, "revoke-key", other.device)
    assert (unit.known, other.known[:2]) == (PROVEN, ("revoked", "tofu"))


def test_key_in_a_file_that_a_proven_key_hands_over_to(unit: Proving) -> None:
    """What was proven of one key, its word does not prove of another."""
    assert unit.prove().status_code == 200
    heir = Proving(unit.bench, unit.bench.device(SERIAL, "heir"), unit.rma, unit.shown)
    handed = rotation(SERIAL, heir.device.key.public, unit.device.key)
    assert unit.bench.enrol(heir.device, unit.rma, handed).status_code == 200
    assert heir.known == (*TOFU, "")


def flipped(area: bytes, bit: int) -> bytes:
    """With one attribute changed (TPM2B_PUBLIC: size, type, name algorithm, attributes)."""
    attributes = int.from_bytes(area[6:10], "big") ^ (1 << bit)
    return area[:6] + attributes.to_bytes(4, "big") + area[10:]
