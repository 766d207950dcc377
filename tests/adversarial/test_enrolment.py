"""Who may speak for a unit: second keys, exchanged boards, rotation, lost and stolen keys, and those who listen in."""

from __future__ import annotations

import base64
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey
from sqlalchemy import select

from server_stub.cli import main
from server_stub.db import Bundle, DeviceKey, Nonce
from server_stub.limits.table import KEYS_WAITING
from server_stub.settings import API
from tests.device import ENROLMENT_TYPE, Device
from tests.p256_key import P256Key
from tests.unit.server.conftest import Bench, problem
from tests.unit.uploader.test_ed25519 import BY_NOBODY, SMALL_ORDER
from uploader import dsse, strict_json
from uploader.receiver import rotation

pytestmark = pytest.mark.adversarial

SERIAL, OTHER_SERIAL = "HB24A0017", "HB24A0018"


@pytest.fixture
def rma(bench: Bench) -> str:
    return bench.open_case(SERIAL).case.rma


def in_tpm(bench: Bench, name: str, serial: str = SERIAL) -> Device:
    return Device(bench.folder / name, serial, P256Key())


def post(bench: Bench, rma: str, envelope: bytes) -> Any:
    return bench.http.post(f"{API}/cases/{rma}/enrolment", data=envelope)


def states(bench: Bench) -> dict[str, str]:
    with bench.receiver.db.read() as session:
        return {row.keyid: row.state.value for row in session.scalars(select(DeviceKey))}


def state(bench: Bench, device: Device) -> str:
    return states(bench)[device.key.public.keyid]


def believed(bench: Bench, rma: str, device: Device, nonce: str | None = None) -> bool:
    """Whether a bundle that the device seals now is accepted."""
    answer = bench.receipt(bench.upload(rma, device.serial, device.bundle(rma, nonce).path.read_bytes()))
    assert answer.status_code in {200, 422}
    return bool(answer.status_code == 200)


def staff(bench: Bench, command: str, device: Device) -> None:
    data = str(bench.receiver.settings.data)
    assert main([command, "--data", data, "--serial", device.serial, "--key", device.key.public.keyid[:12]]) == 0


def test_second_key_waits_for_staff(bench: Bench, rma: str) -> None:
    first, second = bench.device(SERIAL), bench.device(SERIAL, "second")
    bench.enrol(first, rma)
    assert "nonce" not in problem(bench.enrol(second, rma), 403, "quarantined")
    assert not believed(bench, rma, second)
    assert (state(bench, first), state(bench, second)) == ("enrolled", "quarantined")
    assert believed(bench, rma, first)


def test_second_key_that_comes_again_and_again(bench: Bench, rma: str) -> None:
    first = bench.device(SERIAL)
    bench.enrol(first, rma)
    for number in range(2 * KEYS_WAITING):
        expected = "quarantined" if number < KEYS_WAITING else "too-many-keys"
        problem(bench.enrol(in_tpm(bench, f"other {number}"), rma), 403, expected)
    assert Counter(states(bench).values()) == {"enrolled": 1, "quarantined": KEYS_WAITING}
    assert believed(bench, rma, first, bench.nonce(first, rma))


def test_first_keys_that_come_at_the_same_moment(bench: Bench, rma: str) -> None:
    """Exactly one is the first."""
    devices = [in_tpm(bench, f"device {number}") for number in range(6)]
    with ThreadPoolExecutor(len(devices)) as pool:
        envelopes = [device.enrolment(rma) for device in devices]
        answers = list(pool.map(lambda envelope: post(bench, rma, envelope).status_code, envelopes))
    assert Counter(answers) == {200: 1, 403: 5}
    assert state(bench, devices[answers.index(200)]) == "enrolled"
    assert Counter(states(bench).values()) == {"enrolled": 1, "quarantined": 5}


def test_the_same_key_that_comes_at_the_same_moment(bench: Bench, rma: str) -> None:
    envelope = bench.device(SERIAL).enrolment(rma)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: post(bench, rma, envelope), range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["nonce"] for answer in answers}) == 6
    assert list(states(bench).values()) == ["enrolled"]


def test_board_exchanged(bench: Bench, rma: str) -> None:
    before, after = in_tpm(bench, "before"), in_tpm(bench, "after")
    bench.enrol(before, rma)
    problem(bench.enrol(after, rma), 403, "quarantined")
    staff(bench, "accept-key", after)
    assert believed(bench, rma, after, bench.nonce(after, rma))
    assert state(bench, before) == "replaced"
    problem(bench.enrol(before, rma), 403, "quarantined")


def test_board_exchanged_twice_and_the_first_one_back(bench: Bench, rma: str) -> None:
    first, second = in_tpm(bench, "first"), in_tpm(bench, "second")
    bench.enrol(first, rma)
    for now, earlier in ((second, first), (first, second)):
        problem(bench.enrol(now, rma), 403, "quarantined")
        staff(bench, "accept-key", now)
        assert (state(bench, now), state(bench, earlier)) == ("enrolled", "replaced")
        assert believed(bench, rma, now, bench.nonce(now, rma))


def test_key_rotated_by_the_old_key(bench: Bench, rma: str) -> None:
    old, new = bench.device(SERIAL), in_tpm(bench, "new")
    bench.enrol(old, rma)
    assert bench.enrol(new, rma, rotation(SERIAL, new.key.public, old.key)).status_code == 200
    assert believed(bench, rma, new, bench.nonce(new, rma))


def test_rotation_that_is_played_again_after_the_next_one(bench: Bench, rma: str) -> None:
    """Who recorded the hand-over from the first to the second key cannot bring the second one back with it."""
    first, second, third = (in_tpm(bench, name) for name in ("first", "second", "third"))
    bench.enrol(first, rma)
    recorded = second.enrolment(rma, rotation(SERIAL, second.key.public, first.key))
    assert post(bench, rma, recorded).status_code == 200
    assert bench.enrol(third, rma, rotation(SERIAL, third.key.public, second.key)).status_code == 200
    problem(post(bench, rma, recorded), 403, "quarantined")
    assert (state(bench, third), state(bench, second)) == ("enrolled", "replaced")


def test_rotation_in_a_circle(bench: Bench, rma: str) -> None:
    """Two statements that hand over to one another: whoever speaks now decides, and there is always one who does."""
    one, two = in_tpm(bench, "one"), in_tpm(bench, "two")
    bench.enrol(one, rma)
    there, back = rotation(SERIAL, two.key.public, one.key), rotation(SERIAL, one.key.public, two.key)
    for _ in range(3):
        assert bench.enrol(two, rma, there).status_code == 200
        assert bench.enrol(one, rma, back).status_code == 200
    assert sorted(states(bench).values()) == ["enrolled", "replaced"]


def test_rotation_to_itself(bench: Bench, rma: str) -> None:
    device = bench.device(SERIAL)
    bench.enrol(device, rma)
    bench.enrol(device, rma, rotation(SERIAL, device.key.public, device.key))
    assert state(bench, device) == "enrolled"


def test_rotation_signed_by_a_key_of_another_unit(bench: Bench, rma: str) -> None:
    other_case = bench.open_case(OTHER_SERIAL).case.rma
    neighbour, honest, new = in_tpm(bench, "neighbour", OTHER_SERIAL), bench.device(SERIAL), in_tpm(bench, "new")
    bench.enrol(neighbour, other_case)
    bench.enrol(honest, rma)
    problem(bench.enrol(new, rma, rotation(SERIAL, new.key.public, neighbour.key)), 403, "quarantined")
    assert state(bench, honest) == "enrolled"


def test_lost_key(bench: Bench, rma: str) -> None:
    """The disk was wiped: nobody can vouch, so staff do; what the lost key sealed still counts."""
    lost, new = bench.device(SERIAL), bench.device(SERIAL, "new")
    bench.enrol(lost, rma)
    late = lost.bundle(rma).path.read_bytes()
    problem(bench.enrol(new, rma), 403, "quarantined")
    staff(bench, "accept-key", new)
    assert believed(bench, rma, new, bench.nonce(new, rma))
    assert bench.receipt(bench.upload(rma, SERIAL, late)).status_code == 200


def test_stolen_key(bench: Bench, rma: str) -> None:
    stolen, next_one = bench.device(SERIAL), bench.device(SERIAL, "next")
    bench.enrol(stolen, rma)
    staff(bench, "revoke-key", stolen)
    problem(bench.enrol(stolen, rma), 403, "quarantined")
    assert not believed(bench, rma, stolen)
    thief = rotation(SERIAL, next_one.key.public, stolen.key)
    problem(bench.enrol(next_one, rma, thief), 403, "quarantined")
    staff(bench, "accept-key", next_one)
    assert believed(bench, rma, next_one)


def test_enrolment_that_is_played_again(bench: Bench, rma: str) -> None:
    """Who listened in gets a nonce, and nothing that it is good for: it counts for the key that it was issued to."""
    honest, eavesdropper = bench.device(SERIAL), bench.device(SERIAL, "eavesdropper")
    recorded = honest.enrolment(rma)
    post(bench, rma, recorded)
    nonce = post(bench, rma, recorded).json()["nonce"]
    assert not believed(bench, rma, eavesdropper, nonce)
    with bench.receiver.db.read() as session:
        assert session.get_one(Nonce, nonce).bundle_id is None
    assert believed(bench, rma, honest, nonce)
    with bench.receiver.db.read() as session:
        fresh = [row.fresh for row in session.scalars(select(Bundle)) if row.state.value == "accepted"]
    assert fresh == [True]


def test_enrolment_for_the_case_of_another_unit(bench: Bench, rma: str) -> None:
    other_case = bench.open_case(OTHER_SERIAL).case.rma
    device = bench.device(SERIAL)
    problem(bench.enrol(device, other_case), 404, "unknown-case")
    problem(post(bench, rma, device.enrolment(other_case)), 404, "unknown-case")
    problem(post(bench, other_case, device.enrolment(rma)), 404, "unknown-case")
    assert states(bench) == {}


@pytest.mark.parametrize("serial", ["HB24A0017\0", "HB24\u04100017", "HB24A0017\u200b", "", " ", "%", "HB24A001_"])
def test_enrolment_with_a_serial_that_looks_like_it(serial: str, bench: Bench, rma: str) -> None:
    problem(bench.enrol(Device(bench.folder / "device", serial), rma), 404, "unknown-case")
    assert states(bench) == {}


def test_enrolment_of_a_serial_in_another_spelling_is_of_the_same_unit(bench: Bench, rma: str) -> None:
    bench.enrol(bench.device(SERIAL), rma)
    other = Device(bench.folder / "other", " hb24a0017 ")
    problem(bench.enrol(other, rma), 403, "quarantined")


def test_one_key_in_two_units(bench: Bench, rma: str) -> None:
    """A cloned stick: each bundle counts for the unit that it names, and for no other."""
    other_case = bench.open_case(OTHER_SERIAL).case.rma
    one = bench.device(SERIAL)
    clone = Device(bench.folder / "clone", OTHER_SERIAL, one.key)
    bench.enrol(one, rma)
    bench.enrol(clone, other_case)
    assert believed(bench, rma, one)
    assert believed(bench, other_case, clone)
    stray = clone.bundle(None).path.read_bytes()
    problem(bench.receipt(bench.upload(rma, SERIAL, stray)), 422, "bundle-rejected")


@pytest.mark.parametrize("raw", SMALL_ORDER)
def test_a_key_that_anybody_can_sign_for(raw: str, bench: Bench, rma: str) -> None:
    """Written as an attacker would who has no secret at all; everything in it is right but the kind of key."""
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(raw))
    key = SSlibKey.from_crypto(public)
    told = {"rma": rma, "serial": SERIAL, "key": {"keyid": key.keyid, **key.to_dict()}, "key_protection": "file"}
    for number in range(1000):
        payload = strict_json.canonical({**told, "time": str(number)})
        try:
            public.verify(BY_NOBODY, Envelope(payload, ENROLMENT_TYPE, {}).pae())
            break
        except InvalidSignature:
            continue
    else:
        pytest.fail("no message that this signature is good for")
    forged = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": ENROLMENT_TYPE,
        "signatures": [{"keyid": key.keyid, "sig": base64.b64encode(BY_NOBODY).decode()}],
    }
    body = problem(post(bench, rma, strict_json.canonical(forged)), 400, "bad-request")
    assert "signed for by anybody" in body["detail"]
    assert states(bench) == {}


def test_a_key_that_calls_itself_kept_in_a_tpm_later_on(bench: Bench, rma: str) -> None:
    """What was taken down at first use stays: the same key cannot talk itself up."""
    device = bench.device(SERIAL)
    bench.enrol(device, rma)
    payload = json.loads(dsse.peek(device.enrolment(rma), ENROLMENT_TYPE, max_size=10_000))
    better = strict_json.canonical({**payload, "key_protection": "tpm"})
    assert post(bench, rma, dsse.sign(better, ENROLMENT_TYPE, device.key)).status_code == 200
    with bench.receiver.db.read() as session:
        assert [row.protection for row in session.scalars(select(DeviceKey))] == ["file"]
