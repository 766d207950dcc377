from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.model import Text
from tests.unit.uploader.support import BINDING, ROOT, write_run
from uploader import dsse
from uploader.bundle.seal import Sealed, seal
from uploader.bundle.verify import BundleRejected, open_bundle
from uploader.dsse import EnvelopeRejected
from uploader.keys import DeviceKey
from uploader.outbox import Entry, Outbox, OutboxError, State
from uploader.receipt import RECEIPT_TYPE

RMA = str(BINDING.rma)
SERVER = "https://receiver.example"


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox")


def receipt(entry: Entry, size: int, key: DeviceKey, /, **changes: Any) -> bytes:
    payload = {
        "rma": entry.rma,
        "serial": entry.serial,
        "bundle_id": entry.bundle_id,
        "sha256": entry.sha256,
        "size": size,
        "received_at": "2026-01-01T00:00:00Z",
        "case_url": "https://receiver.example/cases/x",
    }
    return dsse.sign(json.dumps({**payload, **changes}).encode(), RECEIPT_TYPE, key)


def test_an_outbox_that_never_was_is_empty(outbox: Outbox) -> None:
    assert outbox.entries() == []
    assert not outbox.root.exists()
    with pytest.raises(OutboxError, match="no such bundle"):
        outbox.get("0" * 64)


def test_the_way_of_a_bundle(outbox: Outbox, sealed: Sealed, key: DeviceKey) -> None:
    entry = outbox.add(sealed.path, rma=RMA, server=SERVER)
    assert entry == Entry(sealed.sha256, sealed.bundle_id, RMA, BINDING.serial, SERVER)
    assert outbox.bundle(entry).read_bytes() == sealed.path.read_bytes()
    entry = outbox.started(entry, f"{SERVER}/uploads/1")
    entry = outbox.failed(entry, Text("the server {server} cannot be reached", {"server": SERVER}))
    assert Outbox(outbox.root).entries() == [entry]
    assert (entry.state, entry.attempts, str(entry.last_error)) == (
        State.WAITING,
        1,
        "the server https://receiver.example cannot be reached",
    )
    entry = outbox.refused(entry, Text("the server refused: {error}", {"error": "no"}))
    assert (outbox.get(entry.sha256).state, entry.attempts) == (State.REFUSED, 2)
    assert outbox.bundle(entry).exists()
    entry, told = outbox.delivered(entry, receipt(entry, sealed.size, key), key.public)
    assert told.case_url == "https://receiver.example/cases/x"
    assert outbox.entries() == [entry]
    assert entry.state is State.DELIVERED
    assert not outbox.bundle(entry).exists()
    assert sealed.path.exists()


def test_adding_twice_is_adding_once(outbox: Outbox, sealed: Sealed, key: DeviceKey, tmp_path: Path) -> None:
    entry = outbox.add(sealed.path, rma=RMA, server=SERVER)
    failed = outbox.failed(entry, Text("why"))
    shutil.copy(sealed.path, tmp_path / "copy.zip")
    assert outbox.add(tmp_path / "copy.zip", rma=RMA, server=SERVER) == failed
    moved = outbox.add(sealed.path, rma=RMA, server="https://other.example")
    assert (moved.server, moved.attempts) == ("https://other.example", 0)
    done, _ = outbox.delivered(moved, receipt(moved, sealed.size, key), key.public)
    assert outbox.add(sealed.path, rma=RMA, server=SERVER) == done
    assert outbox.entries() == [done]
    assert not outbox.bundle(done).exists()


def test_another_server_is_for_what_waits_only(outbox: Outbox, sealed: Sealed, key: DeviceKey) -> None:
    entry = outbox.addressed(outbox.add(sealed.path, rma=RMA, server=SERVER), "https://moved.example")
    assert outbox.entries() == [entry]
    assert entry.server == "https://moved.example"
    done, _ = outbox.delivered(entry, receipt(entry, sealed.size, key), key.public)
    assert outbox.addressed(entry, SERVER) == done
    assert done.server == "https://moved.example"


def test_a_bundle_that_was_deleted_is_taken_again(outbox: Outbox, sealed: Sealed) -> None:
    entry = outbox.add(sealed.path, rma=RMA, server=SERVER)
    outbox.bundle(entry).unlink()
    entry = outbox.add(sealed.path, rma=RMA, server=SERVER)
    assert outbox.bundle(entry).read_bytes() == sealed.path.read_bytes()


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"\0" + data[1:], lambda _: b""])
@pytest.mark.parametrize("state", ["kept", "lost"])
def test_a_copy_that_was_damaged_is_made_good(
    outbox: Outbox, sealed: Sealed, damage: Callable[[bytes], bytes], state: str
) -> None:
    entry = outbox.add(sealed.path, rma=RMA, server=SERVER)
    outbox.bundle(entry).write_bytes(damage(sealed.path.read_bytes()))
    if state == "lost":
        (outbox.root / f"{entry.sha256}.json").unlink()
    assert outbox.add(sealed.path, rma=RMA, server=SERVER).state is State.WAITING
    assert outbox.bundle(entry).read_bytes() == sealed.path.read_bytes()


def test_a_bundle_of_another_case_is_refused(outbox: Outbox, sealed: Sealed, tmp_path: Path, key: DeviceKey) -> None:
    with pytest.raises(OutboxError, match=f"sealed for the case {RMA}"):
        outbox.add(sealed.path, rma="HB26-000000-0", server=SERVER)
    free = seal(write_run(tmp_path / "run"), tmp_path, key, replace(BINDING, rma=None))
    assert outbox.add(free.path, rma="HB26-000000-0", server=SERVER).rma == "HB26-000000-0"


def test_what_is_no_bundle_is_refused(outbox: Outbox, sealed: Sealed, tmp_path: Path) -> None:
    (tmp_path / "changed").write_bytes(sealed.path.read_bytes()[:-1] + b"\1")
    for name in ["changed", "absent", "."]:
        with pytest.raises(BundleRejected):
            outbox.add(tmp_path / name, rma=RMA, server=SERVER)
    assert outbox.entries() == []


def test_delivered_is_final(outbox: Outbox, sealed: Sealed, key: DeviceKey) -> None:
    entry = outbox.add(sealed.path, rma=RMA, server=SERVER)
    done, _ = outbox.delivered(entry, receipt(entry, sealed.size, key), key.public)
    for late in [outbox.failed(entry, Text("late")), outbox.refused(entry, Text("late")), outbox.started(entry, "x")]:
        assert late == done
    assert outbox.entries() == [done]


@pytest.mark.parametrize(
    "change", [{"sha256": "0" * 64}, {"size": 1}, {"rma": "x"}, {"serial": "x"}, {"bundle_id": "x"}]
)
def test_a_bundle_is_kept_without_its_receipt(
    outbox: Outbox, sealed: Sealed, key: DeviceKey, tmp_path: Path, change: dict[str, Any]
) -> None:
    entry = outbox.add(sealed.path, rma=RMA, server=SERVER)
    other = DeviceKey.load_or_create(tmp_path / "other")
    for envelope in [receipt(entry, sealed.size, key, **change), receipt(entry, sealed.size, other), b"{}"]:
        with pytest.raises(EnvelopeRejected):
            outbox.delivered(entry, envelope, key.public)
    assert outbox.entries() == [entry]
    assert outbox.bundle(entry).exists()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    damage=st.binary(max_size=100)
    | st.dictionaries(
        st.sampled_from(
            ["schema", "sha256", "bundle_id", "rma", "serial", "server", "state", "attempts", "last_error"]
        ),
        st.none()
        | st.integers()
        | st.text(max_size=5)
        | st.dictionaries(st.sampled_from(["text", "values"]), st.text()),
    )
    | st.sampled_from([{"state": "delivered"}, {"state": "delivered", "receipt": None}, {"receipt": "x"}, None])
)
def test_a_damaged_state_hides_no_bundle(sealed: Sealed, tmp_path: Path, damage: Any) -> None:
    outbox = Outbox(tmp_path / "outbox")
    entry = outbox.add(sealed.path, rma=RMA, server=SERVER)
    state = outbox.root / f"{entry.sha256}.json"
    good = state.read_bytes()
    if damage is None:
        state.unlink()
    elif isinstance(damage, bytes):
        state.write_bytes(damage)
    else:
        state.write_text(json.dumps({**json.loads(good), **damage}))
    (found,) = outbox.entries()
    assert found.sha256 == entry.sha256
    assert found.state is not State.DELIVERED
    Outbox(outbox.root).failed(entry, Text("tidies up"))
    assert outbox.bundle(entry).read_bytes() == sealed.path.read_bytes()
    state.write_bytes(good)


def test_a_lost_state_is_made_again_from_the_bundle(outbox: Outbox, sealed: Sealed) -> None:
    entry = outbox.add(sealed.path, rma=RMA, server=SERVER)
    (outbox.root / f"{entry.sha256}.json").write_text("{")
    assert outbox.entries() == [replace(entry, server="")]
    assert outbox.add(sealed.path, rma=RMA, server=SERVER) == entry


def test_a_damaged_bundle_is_shown_with_the_reason(outbox: Outbox, sealed: Sealed) -> None:
    entry = outbox.add(sealed.path, rma=RMA, server=SERVER)
    (outbox.root / f"{entry.sha256}.json").unlink()
    outbox.bundle(entry).write_bytes(b"nothing")
    (found,) = outbox.entries()
    assert (found.state, str(found.last_error)) == (State.REFUSED, "this is not a bundle")


def test_an_outbox_that_cannot_be_written(tmp_path: Path, sealed: Sealed) -> None:
    (tmp_path / "outbox").write_text("a file")
    with pytest.raises(OutboxError):
        Outbox(tmp_path / "outbox").add(sealed.path, rma=RMA, server=SERVER)
    with pytest.raises(OutboxError):
        Outbox(tmp_path / "outbox").entries()


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from agent.model import Text
from tests.unit.uploader.support import BINDING
from tests.unit.uploader.test_outbox import RMA, SERVER, receipt
from uploader.keys import DeviceKey
from uploader.outbox import Outbox, State

bundle, root = map(Path, sys.argv[1:])
key = DeviceKey.load_or_create(root / "key")

def walk(outbox):
    entry = outbox.add(bundle, rma=RMA, server=SERVER)
    entry = outbox.started(entry, SERVER + "/u/1")
    entry = outbox.failed(entry, Text("broken"))
    outbox.delivered(entry, receipt(entry, bundle.stat().st_size, key), key.public)

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
    for name in ["open", "fsync", "replace", "unlink", "mkdir", "write", "close", "listdir"]:
        setattr(os, name, counting(getattr(os, name)))

def check(outbox, number):
    entries = outbox.entries()
    assert len(entries) <= 1, (number, entries)
    for entry in entries:
        delivered = entry.state is State.DELIVERED
        assert delivered == (entry.receipt is not None), (number, entry)
        if not delivered:
            assert outbox.bundle(entry).read_bytes() == bundle.read_bytes(), (number, entry)
    walk_again = entries and entries[0].state is State.DELIVERED
    if not walk_again:
        walk(outbox)
    outbox.add(bundle, rma=RMA, server=SERVER)
    (entry,) = outbox.entries()
    assert entry.state is State.DELIVERED, (number, entry)
    assert os.listdir(outbox.root) == [entry.sha256 + ".json"], (number, os.listdir(outbox.root))
    return len(entries)

deaths, seen = 0, set()
for number in range(1, 1000):
    outbox = Outbox(root / "outbox")
    child = os.fork()
    if child == 0:
        die_at(number)
        walk(outbox)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    seen.add(check(outbox, number))
    shutil.rmtree(outbox.root)
    if status == 0:
        break
    assert os.WTERMSIG(status) == signal.SIGKILL, status
    deaths += 1
print(deaths, sorted(seen))
"""


def test_a_kill_at_any_system_call_loses_nothing(sealed: Sealed, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(sealed.path), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    deaths, seen = done.stdout.split(maxsplit=1)
    assert int(deaths) > 20
    assert seen.strip() == "[0, 1]"


def test_bundles_in_the_outbox_can_be_opened(outbox: Outbox, sealed: Sealed) -> None:
    entry = outbox.add(sealed.path, rma=RMA, server=SERVER)
    with open_bundle(outbox.bundle(entry)) as bundle:
        assert bundle.sha256 == entry.sha256
    assert os.stat(outbox.bundle(entry)).st_mode & 0o777 == 0o600
