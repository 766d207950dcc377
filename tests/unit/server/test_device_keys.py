"""Which key speaks for a unit: second keys, exchanged boards, rotation, lost and revoked keys, what staff decide."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from server_stub.cli import main
from server_stub.db import Bundle, DeviceKey, Event
from server_stub.key_levels import level_of
from server_stub.settings import API
from tests.device import ENROLMENT_TYPE, Device
from tests.p256_key import P256Key
from tests.unit.server.conftest import Bench, problem
from uploader import dsse, strict_json
from uploader.keys import PublicKey
from uploader.receiver import ROTATION_TYPE, rotation

SERIAL = "HB24A0017"
OTHER_SERIAL = "HB24A0018"


@pytest.fixture
def rma(bench: Bench) -> str:
    return bench.open_case(SERIAL).case.rma


def in_tpm(bench: Bench, name: str = "tpm", serial: str = SERIAL) -> Device:
    return Device(bench.folder / name, serial, P256Key())


def handed_over(old: Device, new: Device, serial: str = SERIAL) -> bytes:
    return rotation(serial, new.key.public, old.key)


def states(bench: Bench) -> dict[str, tuple[str, str]]:
    """State and level by key id."""
    with bench.receiver.db.read() as session:
        rows = session.scalars(select(DeviceKey)).all()
        return {row.keyid: (row.state.value, level_of(session, row).value) for row in rows}


def state(bench: Bench, device: Device) -> tuple[str, str]:
    return states(bench)[device.key.public.keyid]


def sent(bench: Bench, rma: str, device: Device, nonce: str | None = None) -> Any:
    """The answer to a bundle that the device seals now."""
    return bench.receipt(bench.upload(rma, device.serial, device.bundle(rma, nonce).path.read_bytes()))


def staff(bench: Bench, command: str, device: Device, serial: str = SERIAL) -> int:
    data = str(bench.receiver.settings.data)
    return main([command, "--data", data, "--serial", serial, "--key", device.key.public.keyid[:12]])


def test_a_key_in_a_tpm_is_enrolled_and_its_bundle_accepted(bench: Bench, rma: str) -> None:
    device = in_tpm(bench)
    assert sent(bench, rma, device, bench.nonce(device, rma)).status_code == 200
    assert state(bench, device) == ("enrolled", "tofu")
    with bench.receiver.db.read() as session:
        [row] = session.scalars(select(DeviceKey))
        assert (row.protection, PublicKey.from_json(row.public)) == ("tpm", device.key.public)
        assert session.scalars(select(Bundle)).one().fresh


def test_an_exchanged_board_waits_for_staff_who_accept_it(
    bench: Bench, rma: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bundle that came meanwhile leaves the quarantine by itself; what the old board sealed still counts."""
    before, after = in_tpm(bench, "before"), in_tpm(bench, "after")
    bench.enrol(before, rma)
    late = before.bundle(rma).path.read_bytes()
    problem(bench.enrol(after, rma), 403, "quarantined")
    body = problem(held := sent(bench, rma, after), 422, "bundle-rejected")
    assert "not confirmed yet" in body["detail"]
    assert main(["conflicts", "--data", str(bench.receiver.settings.data)]) == 0
    line = capsys.readouterr().out
    assert line.startswith(SERIAL)
    assert f"{after.key.public.keyid[:16]} (tpm, unknown)" in line
    assert f"now: {before.key.public.keyid[:16]} (tpm, tofu)" in line
    assert staff(bench, "accept-key", after) == 0
    assert "1 bundles left the quarantine" in capsys.readouterr().out
    assert bench.http.get(held.request.path_url).status_code == 200
    assert (state(bench, before), state(bench, after)) == (("replaced", "tofu"), ("enrolled", "tofu"))
    assert sent(bench, rma, after, bench.nonce(after, rma)).status_code == 200
    assert bench.receipt(bench.upload(rma, SERIAL, late)).status_code == 200
    problem(bench.enrol(before, rma), 403, "quarantined")
    assert main(["conflicts", "--data", str(bench.receiver.settings.data)]) == 0
    assert capsys.readouterr().out == ""


def test_a_lost_key_is_one_more_conflict_and_a_thief_is_refused(bench: Bench, rma: str) -> None:
    honest, thief = bench.device(SERIAL), bench.device(SERIAL, "thief")
    bench.enrol(honest, rma)
    problem(bench.enrol(thief, rma), 403, "quarantined")
    assert staff(bench, "revoke-key", thief) == 0
    problem(bench.enrol(thief, rma), 403, "quarantined")
    assert "have revoked" in problem(sent(bench, rma, thief), 422, "bundle-rejected")["detail"]
    assert (state(bench, honest), state(bench, thief)) == (("enrolled", "tofu"), ("revoked", "unknown"))
    assert sent(bench, rma, honest, bench.nonce(honest, rma)).status_code == 200


def test_a_key_that_hands_over_needs_no_staff(bench: Bench, rma: str) -> None:
    old, new = bench.device(SERIAL), in_tpm(bench)
    nonce = bench.nonce(old, rma)
    late = old.bundle(rma, nonce).path.read_bytes()
    assert bench.enrol(new, rma, handed_over(old, new)).json()["status"] == "enrolled"
    assert (state(bench, old), state(bench, new)) == (("replaced", "tofu"), ("enrolled", "tofu"))
    assert bench.enrol(new, rma, handed_over(old, new)).json()["status"] == "enrolled"
    assert bench.enrol(new, rma).json()["status"] == "enrolled"
    assert sent(bench, rma, new, bench.nonce(new, rma)).status_code == 200
    assert bench.receipt(bench.upload(rma, SERIAL, late)).status_code == 200
    problem(bench.enrol(old, rma), 403, "quarantined")
    with bench.receiver.db.read() as session:
        kinds = [event.kind for event in session.scalars(select(Event).order_by(Event.id)) if "key" in event.kind]
    assert kinds == ["key-enrolled", "key-replaced", "key-enrolled"]


def test_a_key_that_was_set_aside_may_still_bring_the_word_of_the_other(bench: Bench, rma: str) -> None:
    old, new = bench.device(SERIAL), in_tpm(bench)
    bench.enrol(old, rma)
    problem(bench.enrol(new, rma), 403, "quarantined")
    assert bench.enrol(new, rma, handed_over(old, new)).json()["status"] == "enrolled"


def test_a_stand_in_that_staff_accepted_hands_back(bench: Bench, rma: str) -> None:
    """The TPM did not answer, a key in a file stood in for it, and now the TPM is back."""
    tpm, file = in_tpm(bench), bench.device(SERIAL)
    bench.enrol(tpm, rma)
    problem(bench.enrol(file, rma), 403, "quarantined")
    assert staff(bench, "accept-key", file) == 0
    assert sent(bench, rma, file, bench.nonce(file, rma)).status_code == 200
    assert bench.enrol(tpm, rma, handed_over(file, tpm)).json()["status"] == "enrolled"
    assert (state(bench, tpm), state(bench, file)) == (("enrolled", "tofu"), ("replaced", "tofu"))


def test_a_stranger_cannot_hand_over(bench: Bench, rma: str) -> None:
    honest, thief, accomplice = bench.device(SERIAL), bench.device(SERIAL, "thief"), in_tpm(bench)
    bench.enrol(honest, rma)
    problem(bench.enrol(accomplice, rma, handed_over(thief, accomplice)), 403, "quarantined")
    assert state(bench, honest) == ("enrolled", "tofu")


def test_a_replaced_or_revoked_key_cannot_hand_over(bench: Bench, rma: str) -> None:
    first, second, third = bench.device(SERIAL), in_tpm(bench, "second"), in_tpm(bench, "third")
    bench.enrol(first, rma)
    bench.enrol(second, rma, handed_over(first, second))
    problem(bench.enrol(third, rma, handed_over(first, third)), 403, "quarantined")
    assert staff(bench, "revoke-key", second) == 0
    problem(bench.enrol(third, rma, handed_over(second, third)), 403, "quarantined")
    assert state(bench, third) == ("quarantined", "unknown")


def test_nothing_is_handed_over_to_a_revoked_key(bench: Bench, rma: str) -> None:
    old, new = bench.device(SERIAL), in_tpm(bench)
    bench.enrol(old, rma)
    bench.enrol(new, rma)
    assert staff(bench, "revoke-key", new) == 0
    problem(bench.enrol(new, rma, handed_over(old, new)), 403, "quarantined")


def test_the_word_of_a_key_counts_for_its_unit_only(bench: Bench, rma: str) -> None:
    """One key in two units (a cloned disk): what was signed for the one says nothing of the other."""
    other_case = bench.open_case(OTHER_SERIAL).case.rma
    cloned, new = bench.device(SERIAL), in_tpm(bench)
    bench.enrol(cloned, rma)
    bench.enrol(bench.device(OTHER_SERIAL), other_case)
    elsewhere = Device(bench.folder / "tpm", OTHER_SERIAL, new.key)
    stolen = handed_over(cloned, new)
    problem(bench.enrol(elsewhere, other_case, stolen), 400, "bad-request")


def test_after_a_revocation_there_is_no_first_use_again(bench: Bench, rma: str) -> None:
    stolen, next_one = bench.device(SERIAL), bench.device(SERIAL, "next")
    accepted = sent(bench, rma, stolen, bench.nonce(stolen, rma))
    assert staff(bench, "revoke-key", stolen) == 0
    problem(bench.enrol(stolen, rma), 403, "quarantined")
    problem(bench.enrol(next_one, rma), 403, "quarantined")
    problem(sent(bench, rma, stolen), 422, "bundle-rejected")
    assert bench.http.get(accepted.request.path_url).status_code == 200  # what was accepted before stays so
    assert staff(bench, "accept-key", next_one) == 0
    assert bench.enrol(next_one, rma).json()["status"] == "enrolled"


def test_a_key_revoked_by_mistake_is_accepted_again(bench: Bench, rma: str) -> None:
    device = bench.device(SERIAL)
    bench.enrol(device, rma)
    assert staff(bench, "revoke-key", device) == 0
    held = sent(bench, rma, device)
    problem(held, 422, "bundle-rejected")
    assert staff(bench, "accept-key", device) == 0
    assert bench.http.get(held.request.path_url).status_code == 200


def test_a_decision_that_names_no_key_is_refused(bench: Bench, rma: str, capsys: pytest.CaptureFixture[str]) -> None:
    device = bench.device(SERIAL)
    bench.enrol(device, rma)
    data = str(bench.receiver.settings.data)
    assert staff(bench, "accept-key", device) == 2  # it speaks already
    assert staff(bench, "accept-key", device, OTHER_SERIAL) == 2
    for key in ("", "0" * 8, device.key.public.keyid[:7]):
        assert main(["revoke-key", "--data", data, "--serial", SERIAL, "--key", key]) == 2
    assert state(bench, device) == ("enrolled", "tofu")
    assert staff(bench, "revoke-key", device) == 0
    assert staff(bench, "revoke-key", device) == 2
    assert len(capsys.readouterr().err.splitlines()) == 6


def test_a_key_that_the_factory_knows_is_above_first_use_and_keeps_its_level_when_it_hands_over(
    bench: Bench, rma: str
) -> None:
    device, new = bench.device(SERIAL), in_tpm(bench)
    data = str(bench.receiver.settings.data)
    bundle = str(device.bundle(None).path)
    assert main(["factory-key", "--data", data, bundle]) == 0
    assert state(bench, device) == ("enrolled", "factory")
    problem(bench.enrol(bench.device(SERIAL, "other"), rma), 403, "quarantined")
    bench.enrol(new, rma, handed_over(device, new))
    assert state(bench, new) == ("enrolled", "factory")
    assert main(["factory-key", "--data", data, bundle]) == 2  # another key speaks for the unit by now


def test_what_is_no_bundle_makes_no_factory_key(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"PK")
    assert main(["factory-key", "--data", str(bench.receiver.settings.data), str(tmp_path / "x")]) == 2
    assert states(bench) == {}


def test_the_case_page_says_how_well_the_key_is_known(bench: Bench) -> None:
    opened = bench.open_case(SERIAL)
    device = in_tpm(bench)
    sent(bench, opened.case.rma, device, bench.nonce(device, opened.case.rma))
    page = bench.http.get(opened.path).text
    assert "kept in the TPM, as the unit says · key trusted on first use" in page
    assert staff(bench, "revoke-key", device) == 0
    assert "revoked since" in bench.http.get(opened.path).text


@pytest.mark.parametrize("name", ["rma", "serial", "key", "key_protection", "time", "rotation"])
@pytest.mark.parametrize("value", [None, 7, [], {}, "absent", "doubled"])
def test_an_enrolment_with_a_field_missing_or_doubled_or_of_another_kind_is_refused(
    bench: Bench, rma: str, name: str, value: Any
) -> None:
    device = in_tpm(bench)
    good = json.loads(dsse.peek(device.enrolment(rma), ENROLMENT_TYPE, max_size=10_000))
    if value == "doubled":
        member = strict_json.canonical({name: good.get(name, "x")})[1:]
        payload = strict_json.canonical({**good, name: good.get(name, "x")})[:-1] + b"," + member
    elif value == "absent":
        payload = strict_json.canonical({key: held for key, held in good.items() if key != name})
    else:
        payload = strict_json.canonical({**good, name: value})
    answer = bench.http.post(f"{API}/cases/{rma}/enrolment", data=dsse.sign(payload, ENROLMENT_TYPE, device.key))
    if (name, value) == ("rotation", "absent"):
        assert answer.status_code == 200  # nobody has to vouch
    else:
        problem(answer, 400, "bad-request")
        assert states(bench) == {}


FIELDS = ("serial", "old", "new")


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", [None, 7, [], {}, "x", "absent"])
def test_a_statement_with_a_field_missing_or_of_another_kind_is_refused(
    bench: Bench, rma: str, name: str, value: Any
) -> None:
    old, new = bench.device(SERIAL), in_tpm(bench)
    bench.enrol(old, rma)
    good = {"serial": SERIAL, "old": old.key.public.to_json(), "new": new.key.public.to_json()}
    bad = {key: member for key, member in good.items() if key != name}
    if value != "absent":
        bad[name] = value
    statement = dsse.sign(strict_json.canonical(bad), ROTATION_TYPE, old.key)
    problem(bench.enrol(new, rma, statement), 400, "bad-request")
    assert state(bench, old) == ("enrolled", "tofu")


def test_a_statement_that_is_not_one_is_refused(bench: Bench, rma: str) -> None:
    old, new = bench.device(SERIAL), in_tpm(bench)
    bench.enrol(old, rma)
    payload = strict_json.canonical(
        {"serial": SERIAL, "old": old.key.public.to_json(), "new": new.key.public.to_json()}
    )
    other_type = dsse.sign(payload, "application/vnd.hibertek.aiodiag.enrolment+json", old.key)
    by_the_new_one = dsse.sign(payload, ROTATION_TYPE, new.key)
    doubled = dsse.sign(payload[:-1] + b',"serial":"X"}', ROTATION_TYPE, old.key)
    good = handed_over(old, new)
    more = strict_json.canonical({**json.loads(good), "more": 1})
    flipped = good.replace(b'"sig":"', b'"sig":"A', 1)
    for statement in (other_type, by_the_new_one, doubled, more, flipped, b"", b"{}", b"[" * 5000):
        problem(bench.enrol(new, rma, statement), 400, "bad-request")
    problem(bench.http.post(f"{API}/cases/{rma}/enrolment", data=new.enrolment(rma, b"x" * 65_000)), 413, "too-large")
    assert list(states(bench)) == [old.key.public.keyid]
