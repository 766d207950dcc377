"""A bundle counts once, for the case, the unit and the key that it was sealed for, whoever brings it again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from server_stub.db import Bundle, Nonce
from server_stub.settings import API
from tests.device import Device
from tests.p256_key import P256Key
from tests.unit.server.conftest import Bench, problem
from tests.unit.uploader.test_verify import pack, parts_of, resign
from uploader.dsse import EnvelopeRejected
from uploader.receipt import Receipt
from uploader.receiver import rotation

SERIAL, OTHER_SERIAL = "HB24A0017", "HB24A0018"


class Scene:
    """A unit with a case, another case of it, and another unit with a case and a key of its own."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.rma = bench.open_case(SERIAL).case.rma
        self.second_rma = bench.open_case(SERIAL).case.rma
        self.other_rma = bench.open_case(OTHER_SERIAL).case.rma
        self.device = bench.device(SERIAL)
        self.other = bench.device(OTHER_SERIAL, "other")
        bench.enrol(self.other, self.other_rma)
        self.nonce = bench.nonce(self.device, self.rma)

    def sealed(self, rma: str | None, nonce: str | None = None) -> bytes:
        return self.device.bundle(rma, nonce).path.read_bytes()

    def changed(self, content: bytes, key: Any = None, **members: Any) -> bytes:
        """The same bundle under a statement that somebody signed again, with ``key`` where another one."""
        path = self.bench.folder / "changed.zip"
        path.write_bytes(content)
        signer = key or self.device.key

        def change(statement: dict[str, Any]) -> None:
            statement["predicate"].update(members)
            statement["predicate"].update(key=signer.public.to_json(), key_protection=signer.protection)

        return pack(resign(parts_of(path), signer, change))

    def send(self, rma: str, serial: str, content: bytes) -> Any:
        return self.bench.receipt(self.bench.upload(rma, serial, content))

    def states(self) -> list[str]:
        with self.bench.receiver.db.read() as session:
            return [row.state.value for row in session.scalars(select(Bundle).order_by(Bundle.id))]


@pytest.fixture
def scene(bench: Bench) -> Scene:
    return Scene(bench)


def for_the_second_case(scene: Scene) -> bytes:
    return scene.sealed(scene.second_rma)


def for_another_units_case(scene: Scene) -> bytes:
    return scene.sealed(scene.other_rma)


def of_another_unit(scene: Scene) -> bytes:
    return scene.other.bundle(None).path.read_bytes()


def of_another_unit_that_says_it_is_this_one(scene: Scene) -> bytes:
    return scene.changed(scene.other.bundle(None).path.read_bytes(), scene.other.key, serial=SERIAL)


def of_a_cloned_stick(scene: Scene) -> bytes:
    """The same key file in another unit."""
    return Device(scene.device.folder, OTHER_SERIAL).bundle(None).path.read_bytes()


def of_a_clone_without_a_serial(scene: Scene) -> bytes:
    return Device(scene.device.folder, "").bundle(None).path.read_bytes()


def with_the_nonce_of_the_second_case(scene: Scene) -> bytes:
    return scene.sealed(scene.rma, scene.bench.nonce(scene.device, scene.second_rma))


def with_the_nonce_of_another_unit(scene: Scene) -> bytes:
    return scene.sealed(scene.rma, scene.bench.nonce(scene.other, scene.other_rma))


def with_the_nonce_of_the_key_before(scene: Scene) -> bytes:
    new = scene.bench.device(SERIAL, "new")
    scene.bench.enrol(new, scene.rma, rotation(SERIAL, new.key.public, scene.device.key))
    return new.bundle(scene.rma, scene.nonce).path.read_bytes()


def with_a_nonce_that_was_never_issued(scene: Scene) -> bytes:
    return scene.sealed(scene.rma, "f" * 32)


def with_the_nonce_in_another_spelling(scene: Scene) -> bytes:
    return scene.sealed(scene.rma, scene.nonce.upper() + " ")


def with_an_empty_nonce(scene: Scene) -> bytes:
    return scene.sealed(scene.rma, "")


def with_a_huge_nonce(scene: Scene) -> bytes:
    return scene.sealed(scene.rma, "f" * 100_000)


def with_a_used_nonce(scene: Scene) -> bytes:
    assert scene.send(scene.rma, SERIAL, scene.sealed(scene.rma, scene.nonce)).status_code == 200
    return scene.sealed(scene.rma, scene.nonce)


def received_before_and_signed_again(scene: Scene) -> bytes:
    first = scene.sealed(scene.rma, scene.nonce)
    assert scene.send(scene.rma, SERIAL, first).status_code == 200
    return scene.changed(first, sequence=999, nonce=None)


def received_before_in_the_second_case(scene: Scene) -> bytes:
    content = scene.sealed(None)
    assert scene.send(scene.second_rma, SERIAL, content).status_code == 200
    return content


def by_a_key_of_nobody(scene: Scene) -> bytes:
    """Only its statement is: the result of the test inside is still signed by the unit."""
    return scene.changed(scene.sealed(scene.rma, scene.nonce), P256Key())


def by_the_key_of_another_unit(scene: Scene) -> bytes:
    return scene.changed(scene.sealed(scene.rma, scene.nonce), scene.other.key)


REPLAYS: list[tuple[Callable[[Scene], bytes], str]] = [
    (for_the_second_case, "sealed for another RMA number"),
    (for_another_units_case, "sealed for another RMA number"),
    (of_another_unit, "a key that is not enrolled"),
    (of_another_unit_that_says_it_is_this_one, "a key that is not enrolled"),
    (of_a_cloned_stick, "from another unit"),
    (of_a_clone_without_a_serial, "from another unit"),
    (with_the_nonce_of_the_second_case, "not issued for this RMA number and key"),
    (with_the_nonce_of_another_unit, "not issued for this RMA number and key"),
    (with_the_nonce_of_the_key_before, "not issued for this RMA number and key"),
    (with_a_nonce_that_was_never_issued, "not issued for this RMA number and key"),
    (with_the_nonce_in_another_spelling, "not issued for this RMA number and key"),
    (with_an_empty_nonce, "not issued for this RMA number and key"),
    (with_a_huge_nonce, "not issued for this RMA number and key"),
    (with_a_used_nonce, "was used before"),
    (received_before_and_signed_again, "received before"),
    (received_before_in_the_second_case, "received before"),
    (by_a_key_of_nobody, "not that of the expected key"),
    (by_the_key_of_another_unit, "not that of the expected key"),
]


@pytest.mark.parametrize(("make", "reason"), REPLAYS, ids=[make.__name__ for make, _ in REPLAYS])
def test_it_is_kept_in_quarantine_and_spoils_nothing(scene: Scene, make: Callable[[Scene], bytes], reason: str) -> None:
    content = make(scene)
    body = problem(scene.send(scene.rma, SERIAL, content), 422, "bundle-rejected")
    assert reason in body["detail"]
    for theirs in (scene.second_rma, scene.other_rma, OTHER_SERIAL, scene.other.key.public.keyid):
        if make not in {of_another_unit, of_another_unit_that_says_it_is_this_one, by_the_key_of_another_unit}:
            assert theirs not in str(body)
    assert scene.states()[-1] == "quarantined"
    speaks = scene.device
    if make is with_the_nonce_of_the_key_before:
        speaks = scene.bench.device(SERIAL, "new")
    honest = speaks.bundle(scene.rma, scene.bench.nonce(speaks, scene.rma)).path.read_bytes()
    assert scene.send(scene.rma, SERIAL, honest).status_code == 200


def test_the_same_bundle_again_is_the_same_upload_and_receipt(scene: Scene) -> None:
    content = scene.sealed(scene.rma, scene.nonce)
    location = scene.bench.upload(scene.rma, SERIAL, content)
    first = scene.bench.receipt(location)
    again = scene.bench.create(scene.rma, SERIAL, content)
    assert again.headers["location"] == location
    assert scene.bench.receipt(location).content == first.content
    assert scene.states() == ["accepted"]


def test_whether_another_case_has_a_bundle_cannot_be_asked(scene: Scene) -> None:
    """Somebody else's bundle, sent for one's own case, gets the same answer whether it was received before or not."""
    known, unknown = (scene.other.bundle(None).path.read_bytes() for _ in range(2))
    assert scene.send(scene.other_rma, OTHER_SERIAL, known).status_code == 200
    created = [scene.bench.create(scene.rma, SERIAL, content) for content in (known, unknown)]
    assert [(one.status_code, one.headers["upload-offset"]) for one in created] == [(201, "0")] * 2
    answers = [scene.send(scene.rma, SERIAL, content) for content in (known, unknown)]
    assert answers[0].content == answers[1].content


def test_a_quarantined_copy_does_not_keep_the_case_that_it_is_for_from_taking_it(scene: Scene) -> None:
    content = scene.sealed(scene.rma, scene.nonce)
    problem(scene.send(scene.second_rma, SERIAL, content), 422, "bundle-rejected")
    assert scene.send(scene.rma, SERIAL, content).status_code == 200
    with scene.bench.receiver.db.read() as session:
        [nonce] = session.scalars(select(Nonce).where(Nonce.value == scene.nonce))
        assert nonce.bundle_id is not None


def test_of_two_cases_at_one_moment_one_gets_it(scene: Scene) -> None:
    content = scene.sealed(None)
    locations = [scene.bench.create(rma, SERIAL, content).headers["location"] for rma in (scene.rma, scene.second_rma)]
    for location in locations:
        scene.bench.append(location, 0, content[:-1])
    together = threading.Barrier(2)

    def finish(location: str) -> None:
        together.wait(20)
        scene.bench.append(location, len(content) - 1, content[-1:])

    threads = [threading.Thread(target=finish, args=(location,)) for location in locations]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(scene.bench.receipt(location).status_code for location in locations) == [200, 422]
    assert sorted(scene.states()) == ["accepted", "quarantined"]


def test_a_clone_in_its_own_case_is_a_unit_like_any_other(scene: Scene) -> None:
    """One key file in two units: each speaks for itself, and their counters may run side by side."""
    third_serial = "HB24A0019"
    rma = scene.bench.open_case(third_serial).case.rma
    clone = Device(scene.device.folder, third_serial)
    content = clone.bundle(rma, scene.bench.nonce(clone, rma)).path.read_bytes()
    assert scene.send(rma, third_serial, content).status_code == 200
    assert scene.send(scene.rma, SERIAL, scene.sealed(scene.rma, scene.nonce)).status_code == 200


@pytest.mark.parametrize("sequence", [1, 2**53 - 1], ids=["back to one", "far ahead"])
def test_a_disk_that_was_put_back_is_no_reason_to_refuse(scene: Scene, sequence: int) -> None:
    """The counter is the unit's own word; it is shown and decides nothing."""
    assert scene.send(scene.rma, SERIAL, scene.sealed(scene.rma, scene.nonce)).status_code == 200
    content = scene.changed(scene.sealed(scene.rma, scene.bench.nonce(scene.device, scene.rma)), sequence=sequence)
    assert scene.send(scene.rma, SERIAL, content).status_code == 200


def test_an_enrolment_that_was_listened_to_is_worth_nothing_to_the_listener(scene: Scene) -> None:
    captured = scene.device.enrolment(scene.rma)
    path = f"{API}/cases/{scene.rma}/enrolment"
    stolen = scene.bench.http.post(path, data=captured).json()["nonce"]
    elsewhere = scene.bench.http.post(f"{API}/cases/{scene.second_rma}/enrolment", data=captured)
    problem(elsewhere, 404, "unknown-case")
    thief = scene.bench.device(SERIAL, "thief")
    forged = thief.bundle(scene.rma, stolen).path.read_bytes()
    problem(scene.send(scene.rma, SERIAL, forged), 422, "bundle-rejected")


def test_a_receipt_is_for_one_bundle_and_one_case(scene: Scene) -> None:
    one, two = scene.device.bundle(scene.rma), scene.device.bundle(scene.rma)
    answers = [scene.send(scene.rma, SERIAL, sealed.path.read_bytes()) for sealed in (one, two)]
    receipts = [Receipt.verify(answer.content, scene.bench.receiver.key.public) for answer in answers]
    right = {"rma": scene.rma, "serial": SERIAL}
    receipts[0].check(**right, bundle_id=one.bundle_id, sha256=one.sha256, size=one.size)
    with pytest.raises(EnvelopeRejected):
        receipts[1].check(**right, bundle_id=one.bundle_id, sha256=one.sha256, size=one.size)
    with pytest.raises(EnvelopeRejected):
        receipts[0].check(
            rma=scene.second_rma, serial=SERIAL, bundle_id=one.bundle_id, sha256=one.sha256, size=one.size
        )


def test_other_bytes_under_the_digest_of_a_good_bundle_do_not_take_its_place(scene: Scene) -> None:
    good, other = scene.sealed(scene.rma, scene.nonce), scene.sealed(scene.rma)
    other = (other + bytes(len(good)))[: len(good)]
    created = scene.bench.create(scene.rma, SERIAL, good)
    scene.bench.append(created.headers["location"], 0, other)
    problem(scene.bench.receipt(created.headers["location"]), 422, "bundle-rejected")
    assert scene.send(scene.rma, SERIAL, good).status_code == 200
