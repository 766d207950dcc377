"""Bundles that come on a stick: opened, and judged like an upload; or nothing of them is kept."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server_stub import age as age_module
from server_stub.age import AgeIdentity, AgeRejected
from server_stub.importing import ImportRefused, import_file
from server_stub.settings import API, Settings
from tests.device import Contents, Device
from tests.unit.server.conftest import Bench
from tests.unit.server.test_intake import FAULT, stored
from tests.unit.server.test_serve import open_case, server
from uploader.bundle.encrypt import encrypt
from uploader.bundle.recipient import read_recipient
from uploader.keys import KeyUnusable

SERIAL = "HB24A0017"


def recipient(bench: Bench) -> str:
    """As a unit is told it."""
    told = bench.http.get(f"{API}/receiver").json()["recipient"]
    return read_recipient(told, bench.receiver.key.public)


def nothing_is_kept(bench: Bench) -> None:
    assert stored(bench) == []
    assert list(bench.receiver.settings.spool.iterdir()) == []
    assert bench.storage.stored(bench.receiver.settings.data) == {}


def test_a_unit_that_was_never_online_gets_its_evidence_into_its_case(bench: Bench, tmp_path: Path) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    sealed = device.bundle(case.rma, None, Contents(findings=[FAULT]))
    encrypt(sealed.path, tmp_path / "stick.age", recipient(bench))
    imported = import_file(bench.receiver.settings, tmp_path / "stick.age", None)
    assert (imported.rma, imported.accepted, imported.bundle.fresh) == (case.rma, True, False)
    [row] = stored(bench)
    assert (row.sha256, row.size, row.bundle_id) == (sealed.sha256, sealed.size, sealed.bundle_id)
    assert [found["code"] for found in row.findings] == ["LOG-8400"]
    with bench.receiver.blobs.local(row.sha256) as path:
        assert path.read_bytes() == sealed.path.read_bytes()
    assert list(bench.receiver.settings.spool.iterdir()) == []


def test_what_debians_age_made_is_taken(bench: Bench, tmp_path: Path) -> None:
    case = bench.open_case(SERIAL).case
    sealed = bench.device(SERIAL).bundle(case.rma)
    made = ["/usr/bin/age", "--recipient", recipient(bench), "-o", tmp_path / "stick.age", sealed.path]
    subprocess.run(made, check=True, timeout=60)
    assert import_file(bench.receiver.settings, tmp_path / "stick.age", None).accepted


def test_debians_age_opens_with_the_receivers_identity_file(bench: Bench, tmp_path: Path) -> None:
    sealed = bench.device(SERIAL).bundle(None)
    encrypt(sealed.path, tmp_path / "stick.age", recipient(bench))
    opening = ["/usr/bin/age", "--decrypt", "--identity", bench.receiver.settings.age, tmp_path / "stick.age"]
    assert subprocess.run(opening, check=True, capture_output=True, timeout=60).stdout == sealed.path.read_bytes()


def test_twice_is_once_by_whatever_way(bench: Bench, tmp_path: Path) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    sealed = device.bundle(case.rma, bench.nonce(device, case.rma))
    encrypt(sealed.path, tmp_path / "stick.age", recipient(bench))
    first = import_file(bench.receiver.settings, tmp_path / "stick.age", None)
    again = import_file(bench.receiver.settings, sealed.path, None)
    assert (first.bundle.fresh, first.bundle.id) == (True, again.bundle.id)
    location = bench.create(case.rma, SERIAL, sealed.path.read_bytes()).headers["location"]
    assert bench.receipt(location).status_code == 200
    assert len(stored(bench)) == 1


def test_an_upload_that_was_begun_over_a_network_is_finished(bench: Bench) -> None:
    case, device = bench.open_case(SERIAL).case, bench.device(SERIAL)
    sealed = device.bundle(case.rma, bench.nonce(device, case.rma))
    content = sealed.path.read_bytes()
    location = bench.create(case.rma, SERIAL, content).headers["location"]
    bench.append(location, 0, content[:1000])
    assert import_file(bench.receiver.settings, sealed.path, None).accepted
    assert bench.receipt(location).status_code == 200


def test_another_key_than_the_enrolled_one_goes_to_quarantine(bench: Bench) -> None:
    case = bench.open_case(SERIAL).case
    bench.enrol(bench.device(SERIAL, "honest"), case.rma)
    imported = import_file(bench.receiver.settings, bench.device(SERIAL, "other").bundle(case.rma).path, None)
    assert not imported.accepted
    assert "staff have not confirmed" in imported.bundle.reason


def test_a_bundle_without_a_case_needs_to_be_told_it(bench: Bench) -> None:
    case, other = bench.open_case(SERIAL).case, bench.open_case("HB24A0018").case
    device = bench.device(SERIAL)
    nobodys, bound = device.bundle(None).path, device.bundle(case.rma).path
    take = bench.receiver.settings
    with pytest.raises(ImportRefused, match="give the case's with --rma"):
        import_file(take, nobodys, None)
    for rma in (other.rma, "HB26-000000-0"):
        with pytest.raises(ImportRefused, match="no case with this RMA number and serial"):
            import_file(take, nobodys, rma)
    with pytest.raises(ImportRefused, match="sealed for"):
        import_file(take, bound, other.rma)
    nothing_is_kept(bench)
    assert import_file(take, nobodys, case.rma).accepted


def test_cut_off_and_changed_files_leave_nothing(bench: Bench, tmp_path: Path) -> None:
    case = bench.open_case(SERIAL).case
    sealed = bench.device(SERIAL).bundle(case.rma)
    stick = tmp_path / "stick.age"
    encrypt(sealed.path, stick, recipient(bench))
    content = stick.read_bytes()
    step = len(content) // 40
    damaged = [content[:cut] for cut in range(0, len(content), step)] + [content[:-1], content + b"\0"]
    damaged += [bytes([*content[:at], content[at] ^ 1, *content[at + 1 :]]) for at in range(0, len(content), step)]
    for data in damaged:
        stick.write_bytes(data)
        with pytest.raises(ImportRefused):
            import_file(bench.receiver.settings, stick, None)
    nothing_is_kept(bench)


def test_strangers_files_are_refused(bench: Bench, tmp_path: Path) -> None:
    sealed = bench.device(SERIAL).bundle(bench.open_case(SERIAL).case.rma)
    other = AgeIdentity.load_or_create(tmp_path / "other" / "age.txt").recipient
    encrypt(sealed.path, tmp_path / "for another", other)
    made = ["/usr/bin/age", "--armor", "--recipient", recipient(bench), "-o", tmp_path / "armoured", sealed.path]
    subprocess.run(made, check=True, timeout=60)
    (tmp_path / "bundle").write_bytes(b"hello")
    (tmp_path / "inside").write_bytes(b"")
    encrypting = ["/usr/bin/age", "--recipient", recipient(bench), "-o", tmp_path / "no bundle", tmp_path / "bundle"]
    subprocess.run(encrypting, check=True, timeout=60)
    (tmp_path / "no end").write_bytes(age_module.MAGIC + b"-> X25519 AAAA\n" * 5000)
    for name in ("for another", "armoured", "bundle", "inside", "no bundle", "no end"):
        with pytest.raises(ImportRefused):
            import_file(bench.receiver.settings, tmp_path / name, None)
    nothing_is_kept(bench)


def test_what_unpacks_to_more_than_a_bundle_is_stopped(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = bench.device(SERIAL).bundle(bench.open_case(SERIAL).case.rma)
    encrypt(sealed.path, tmp_path / "stick.age", recipient(bench))
    monkeypatch.setattr(age_module, "MAX_BUNDLE", sealed.size - 1)
    with pytest.raises(ImportRefused, match="more than a bundle can have"):
        import_file(bench.receiver.settings, tmp_path / "stick.age", None)
    monkeypatch.setattr(age_module, "MAX_ENCRYPTED", sealed.size)
    with pytest.raises(ImportRefused, match="larger than a bundle can be"):
        import_file(bench.receiver.settings, tmp_path / "stick.age", None)
    nothing_is_kept(bench)


def test_a_disk_that_is_full_is_not_the_files_fault(tmp_path: Path) -> None:
    identity = AgeIdentity.load_or_create(tmp_path / "age.txt")
    sealed = Device(tmp_path / "unit", SERIAL).bundle(None)
    encrypt(sealed.path, tmp_path / "stick.age", identity.recipient)
    with (
        (tmp_path / "stick.age").open("rb") as source,
        Path("/dev/full").open("wb", buffering=0) as target,
        pytest.raises(OSError, match="No space left"),
    ):
        identity.decrypt(source, target)


@given(data=st.binary(max_size=400))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_gets_past_with_anything_but_a_rejection(tmp_path: Path, data: bytes) -> None:
    identity = AgeIdentity.load_or_create(tmp_path / "age.txt")
    (tmp_path / "in").write_bytes(age_module.MAGIC + data)
    with (
        (tmp_path / "in").open("rb") as source,
        (tmp_path / "out").open("wb") as target,
        pytest.raises(AgeRejected),
    ):
        identity.decrypt(source, target)


def test_the_identity_stays_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "key" / "age.txt"
    made = AgeIdentity.load_or_create(path).recipient
    assert AgeIdentity.load_or_create(path).recipient == made
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(KeyUnusable, match="nobody else"):
        AgeIdentity.load_or_create(path)
    path.chmod(0o600)
    moved = path.rename(tmp_path / "elsewhere")
    path.symlink_to(moved)
    with pytest.raises(KeyUnusable):
        AgeIdentity.load_or_create(path)
    path.unlink()
    for damaged in ("", "x", f"{moved.read_text()}{moved.read_text()}", made, "é"):
        path.write_text(damaged)
        path.chmod(0o600)
        with pytest.raises(KeyUnusable, match="damaged"):
            AgeIdentity.load_or_create(path)
        assert path.read_text() == damaged


def test_on_the_command_line(tmp_path: Path) -> None:
    data = tmp_path / "data"
    rma = open_case(data)["rma"]
    told = server("recipient", "--data", str(data))
    assert told.stdout.strip() == AgeIdentity.load_or_create(Settings(data).age).recipient
    sealed = Device(tmp_path / "unit", SERIAL).bundle(rma)
    stick = tmp_path / "stick.age"
    encrypt(sealed.path, stick, told.stdout.strip())
    done = server("import", str(stick), "--data", str(data))
    assert (done.returncode, done.stderr) == (0, "")
    expected = {"rma": rma, "bundle_id": sealed.bundle_id, "sha256": sealed.sha256, "fresh": False}
    assert json.loads(done.stdout) == expected
    stick.write_bytes(stick.read_bytes()[:-1])
    refused = server("import", str(stick), "--data", str(data))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"aiodiag-server: {stick}: not encrypted to this receiver, cut off or changed")
    assert refused.stderr.count("\n") == 1
    assert server("import", str(tmp_path / "none"), "--data", str(data)).returncode == 2
    assert server("import", str(stick), "--rma", "HB26-1", "--data", str(data)).returncode == 2
