"""How much one address, or anybody for one case, may ask for; and what becomes of whoever asks for more."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter
from sqlalchemy import func, select

from server_stub.cli import main
from server_stub.db import AuditRow, DeviceKey, Upload
from server_stub.limits import Limits, quotas
from server_stub.limits.address import address_of
from server_stub.limits.table import GIVEN_UP_AFTER, KEYS_WAITING, RATES, UNFINISHED_OF_CASE, Rate
from server_stub.problems import Problem
from server_stub.settings import API
from tests.agent_process import ROOT
from tests.unit.server.conftest import TUS, Bench, Http, problem
from uploader.outbox import Outbox, State
from uploader.receiver import Receiver, TooMuch, rotation
from uploader.send import Retries, send

SERIAL = "HB24A0017"
NO_PAUSE = Retries(limit=5, first_s=0.0)


class Hands:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def tight(bench: Bench, hands: Hands) -> Callable[[str], None]:
    """Allow three at once of one kind, and one more every ten seconds."""

    def tighten(name: str) -> None:
        bench.receiver.limits = Limits({**RATES, name: Rate(3, 10.0)}, hands)

    return tighten


class From(HTTPAdapter):
    """Requests that come from another address of this machine."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> Any:
        return super().init_poolmanager(*args, source_address=("127.0.0.9", 0), **kwargs)


def elsewhere(bench: Bench) -> Bench:
    http = Http(bench.http.base_url)
    http.mount("http://", From())
    return replace(bench, http=http)


class Attack:
    """What an attacker, or a unit that has gone mad, repeats. The case has a key."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.rma = bench.open_case(SERIAL).case.rma
        self.device = bench.device(SERIAL)
        bench.enrol(self.device, self.rma)
        self.count = 0

    def create(self) -> Any:
        self.count += 1
        return self.bench.create(self.rma, SERIAL, b"bundle %d" % self.count)

    def same_upload(self) -> Any:
        return self.bench.create(self.rma, SERIAL, b"bundle")

    def create_for_another_serial(self) -> Any:
        return self.bench.create(self.rma, "OTHER", b"bundle")

    def enrol(self) -> Any:
        return self.bench.enrol(self.device, self.rma)

    def enrol_another_serial(self) -> Any:
        return self.bench.enrol(self.bench.device("OTHER", "other"), self.rma)

    def ask_for_a_challenge(self) -> Any:
        return self.bench.http.post(f"{API}/cases/{self.rma}/tpm-challenge", data=b"{}")

    def answer_a_challenge(self) -> Any:
        return self.bench.http.post(f"{API}/cases/{self.rma}/tpm-answer", data=b"{}")

    def look_up(self) -> Any:
        return self.bench.http.get(f"{API}/cases/{self.rma}", params={"serial": SERIAL})

    def guess_serial(self) -> Any:
        self.count += 1
        return self.bench.http.get(f"{API}/cases/{self.rma}", params={"serial": f"HB{self.count}"})

    def guess_number(self) -> Any:
        self.count += 1
        return self.bench.http.get(f"{API}/cases/HB26-{self.count:06d}-0", params={"serial": SERIAL})

    def guess_on_the_page(self) -> Any:
        return self.bench.http.get("/", params={"rma": self.rma, "serial": "OTHER"})

    def guess_claim(self) -> Any:
        return self.bench.http.get(f"/cases/{self.rma}", params={"claim": "0000-0000-0000"})

    def guess_download(self) -> Any:
        return self.bench.http.get(f"/cases/{self.rma}/bundles/x/file", params={"claim": "0000-0000-0000"})


FLOODS = [
    ("creations-of-address", Attack.create),
    ("creations-of-address", Attack.same_upload),
    ("creations-of-address", Attack.create_for_another_serial),
    ("creations-of-case", Attack.create),
    ("enrolments-of-address", Attack.enrol),
    ("enrolments-of-address", Attack.enrol_another_serial),
    ("enrolments-of-case", Attack.enrol),
    ("proofs-of-address", Attack.ask_for_a_challenge),
    ("proofs-of-address", Attack.answer_a_challenge),
    ("proofs-of-case", Attack.ask_for_a_challenge),
    ("proofs-of-case", Attack.answer_a_challenge),
    ("guesses-of-address", Attack.guess_serial),
    ("guesses-of-address", Attack.guess_number),
    ("guesses-of-address", Attack.guess_on_the_page),
    ("guesses-of-address", Attack.guess_claim),
    ("guesses-of-address", Attack.guess_download),
    ("guesses-of-address", Attack.enrol_another_serial),
    ("guesses-of-address", Attack.create_for_another_serial),
    ("guesses-of-case", Attack.guess_serial),
    ("guesses-of-case", Attack.guess_on_the_page),
    ("guesses-of-case", Attack.guess_claim),
    ("guesses-of-case", Attack.enrol_another_serial),
]


@pytest.mark.parametrize(("name", "act"), FLOODS, ids=[f"{name} {act.__name__}" for name, act in FLOODS])
def test_a_flood_is_stopped_until_the_time_that_it_is_told(
    bench: Bench, hands: Hands, tight: Callable[[str], None], name: str, act: Callable[[Attack], Any]
) -> None:
    attack = Attack(bench)
    tight(name)
    before = [act(attack).status_code for _ in range(3)]
    assert 429 not in before
    for _ in range(2):  # what was refused has cost nothing
        refused = act(attack)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
        assert "content-security-policy" in refused.headers
    hands.at += 9
    assert act(attack).headers["retry-after"] == "1"
    hands.at += 1
    assert act(attack).status_code == before[0]
    assert act(attack).status_code == 429


HARMLESS = [
    ("guesses-of-address", Attack.look_up),
    ("guesses-of-case", Attack.look_up),
    ("guesses-of-case", Attack.guess_number),
    ("creations-of-case", Attack.same_upload),
    ("creations-of-case", Attack.create_for_another_serial),
]


@pytest.mark.parametrize(("name", "act"), HARMLESS, ids=[f"{name} {act.__name__}" for name, act in HARMLESS])
def test_what_is_no_guess_and_nothing_new_is_not_counted_as_such(
    bench: Bench, tight: Callable[[str], None], name: str, act: Callable[[Attack], Any]
) -> None:
    attack = Attack(bench)
    tight(name)
    assert 429 not in [act(attack).status_code for _ in range(10)]


def test_whoever_guessed_too_often_is_not_told_when_it_is_right(bench: Bench, tight: Callable[[str], None]) -> None:
    attack = Attack(bench)
    tight("guesses-of-case")
    for _ in range(3):
        problem(attack.guess_serial(), 404, "unknown-case")
    wrong, right = attack.guess_serial(), attack.look_up()
    problem(right, 429, "too-many-requests")
    assert wrong.content == right.content
    assert set(wrong.headers) == set(right.headers)


def test_a_page_says_it_as_a_page(bench: Bench, tight: Callable[[str], None]) -> None:
    attack = Attack(bench)
    tight("guesses-of-address")
    answers = [attack.guess_claim() for _ in range(4)]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 429]
    assert answers[-1].headers["content-type"].startswith("text/html")
    assert answers[-1].headers["retry-after"] == "10"


def test_another_address_is_another_ones(bench: Bench, tight: Callable[[str], None]) -> None:
    attack, neighbour = Attack(bench), elsewhere(bench)
    tight("guesses-of-address")
    for _ in range(4):
        attack.guess_number()
    assert attack.look_up().status_code == 429
    attack.bench = neighbour
    assert attack.look_up().status_code == 200
    neighbour.http.close()


def test_a_case_is_guarded_wherever_the_guesses_come_from(bench: Bench, tight: Callable[[str], None]) -> None:
    attack, neighbour = Attack(bench), elsewhere(bench)
    tight("guesses-of-case")
    for _ in range(3):
        attack.guess_serial()
    attack.bench = neighbour
    assert attack.guess_serial().status_code == 429
    neighbour.http.close()


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Client-IP", "True-Client-IP", "Via"]
)
def test_nobody_may_say_that_it_is_somebody_else(bench: Bench, tight: Callable[[str], None], header: str) -> None:
    attack = Attack(bench)
    tight("guesses-of-address")
    statuses = []
    for number in range(5):
        bench.http.headers[header] = f"for=203.0.113.{number}" if header == "Forwarded" else f"203.0.113.{number}"
        statuses.append(attack.guess_number().status_code)
    assert 429 in statuses[3:]
    assert statuses[4] == 429


def test_a_proxy_that_the_operator_named_is_believed_and_what_its_client_says_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "server_stub.cli", "serve", "--port", "0", "--data", str(tmp_path)]
    with subprocess.Popen(
        [*command, "--trusted-proxy", "127.0.0.0/8"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().removeprefix("listening on ").strip()

            def guess(forwarded: str) -> int:
                headers = {"X-Forwarded-For": forwarded}
                return http.get(f"{url}{API}/cases/x?serial=y", headers=headers, timeout=20).status_code

            with requests.Session() as http:
                burst = RATES["guesses-of-address"].burst
                statuses = [guess("198.51.100.7") for _ in range(burst + 60)]
                assert statuses[:burst] == [404] * burst
                assert 429 in statuses
                while guess("198.51.100.7") != 429:
                    pass
                assert guess("203.0.113.1, 198.51.100.7") == 429  # the last one is whom the proxy saw
                assert guess("198.51.100.8") == 404
        finally:
            process.terminate()


@pytest.mark.parametrize("text", ["nonsense", "1.2.3.4.5", "", "10.0.0.1/99"])
def test_what_is_no_proxy_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SystemExit) as left:
        main(["serve", "--data", str(tmp_path), "--trusted-proxy", text])
    assert left.value.code == 2


@pytest.mark.parametrize(
    ("client", "whose"),
    [
        (("192.0.2.1", 1), "192.0.2.1"),
        (("::ffff:192.0.2.1", 1), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (("2001:db8:1:2::", 1), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 1), "fe80::/64"),
        (("unknown", 0), "unknown"),
        (("x" * 100_000, 0), "unknown"),
        (("", 0), "unknown"),
        (None, "unknown"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_address_is_counted_as_what_its_owner_can_choose_from(client: Any, whose: str) -> None:
    assert address_of({"client": client}) == whose


def test_memory_is_bounded_whatever_an_attacker_does(hands: Hands) -> None:
    limits = Limits(RATES, hands, remembered=100)
    for number in range(5000):
        limits.spend("guesses-of-address", f"2001:db8:0:{number:x}::/64")
        limits.charge("bytes-of-address", f"2001:db8:0:{number:x}::/64", 1 << 40)
        assert len(limits) <= 100


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 5)), max_size=40), st.integers(1, 5))
def test_never_more_than_the_burst_and_what_has_come_since(steps: list[tuple[float, int]], burst: int) -> None:
    """Over every stretch of time, not only from the beginning."""
    hands, admitted = Hands(), []
    limits = Limits({"x": Rate(burst, 10.0)}, hands)
    for pause, tries in steps:
        hands.at += pause
        for _ in range(tries):
            try:
                limits.spend("x", "me")
            except Problem as refused:
                wait = int(refused.headers["Retry-After"])
                assert 1 <= wait <= 10
            else:
                admitted.append(hands.at)
    for first in range(len(admitted)):
        for last in range(first, len(admitted)):
            most = burst + (admitted[last] - admitted[first]) / 10.0
            assert last - first + 1 <= most + 1e-6


def moved(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """The receiver's clock, as the quotas see it."""
    monkeypatch.setattr(quotas, "now", lambda: datetime.now(UTC) + by)


def test_a_case_has_few_unfinished_uploads_and_old_ones_make_room(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack = Attack(bench)
    locations = [attack.create().headers["location"] for _ in range(UNFINISHED_OF_CASE)]
    assert bench.append(locations[0], 0, b"bun").status_code == 204
    refused = attack.create()
    problem(refused, 429, "too-many-requests")
    assert 86_300 < int(refused.headers["retry-after"]) <= 86_400
    assert bench.create(attack.rma, SERIAL, b"bundle 3").headers["location"] == locations[2]  # the one that is there
    moved(monkeypatch, GIVEN_UP_AFTER + timedelta(seconds=60))
    spooled = bench.receiver.uploads.path(locations[0].rpartition("/")[2])
    assert spooled.read_bytes() == b"bun"
    assert attack.create().status_code == 201
    assert bench.http.head(locations[0], headers=TUS).status_code == 404
    assert not spooled.exists()
    assert bench.http.head(locations[1], headers=TUS).status_code == 200
    with bench.receiver.db.read() as session:
        [row] = session.scalars(select(AuditRow).where(AuditRow.action == "upload-given-up"))
        assert '"came":3' in row.detail


def test_an_old_upload_that_is_being_written_to_is_left_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    attack = Attack(bench)
    ids = [attack.create().headers["location"].rpartition("/")[2] for _ in range(UNFINISHED_OF_CASE)]
    moved(monkeypatch, GIVEN_UP_AFTER)
    with bench.receiver.db.write() as session:
        for upload_id in ids:
            upload = session.get_one(Upload, upload_id)
            upload.lease, upload.lease_until = "held", datetime.now(UTC) + timedelta(days=2)
    refused = attack.create()
    problem(refused, 429, "too-many-requests")
    assert refused.headers["retry-after"] == "60"


def test_bytes_of_a_day(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    attack = Attack(bench)
    monkeypatch.setattr(quotas, "BYTES_OF_CASE", 100)
    assert bench.create(attack.rma, SERIAL, b"a" * 60).status_code == 201
    assert bench.create(attack.rma, SERIAL, b"b" * 40).status_code == 201
    refused = bench.create(attack.rma, SERIAL, b"c")
    problem(refused, 429, "too-many-requests")
    assert 86_300 < int(refused.headers["retry-after"]) <= 86_400
    other = bench.open_case("HB24A0018").case.rma
    bench.enrol(bench.device("HB24A0018", "other"), other)
    assert bench.create(other, "HB24A0018", b"c").status_code == 201
    moved(monkeypatch, timedelta(days=1, minutes=1))
    assert bench.create(attack.rma, SERIAL, b"c").status_code == 201


def test_bytes_of_an_address(bench: Bench, hands: Hands) -> None:
    attack = Attack(bench)
    bench.receiver.limits = Limits({**RATES, "bytes-of-address": Rate(100, 1.0)}, hands)
    content = b"x" * 250
    location = bench.create(attack.rma, SERIAL, content).headers["location"]
    assert bench.append(location, 0, content[:240]).status_code == 204  # what has begun is let through
    refused = bench.append(location, 240, content[240:])
    problem(refused, 429, "too-many-requests")
    assert refused.headers["retry-after"] == "140"
    assert bench.http.head(location, headers=TUS).headers["upload-offset"] == "240"
    hands.at += 140
    assert bench.append(location, 240, content[240:]).status_code == 204


def test_a_full_case_takes_no_more(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    attack = Attack(bench)
    monkeypatch.setattr(quotas, "BUNDLES_OF_CASE", 2)
    for content in (b"no bundle", b"none either"):
        bench.upload(attack.rma, SERIAL, content)
    refused = attack.create()
    problem(refused, 403, "case-full")
    assert "retry-after" not in refused.headers
    assert bench.create(attack.rma, SERIAL, b"no bundle").status_code == 201  # it is there


def test_a_disk_without_room_is_told_before_anything_is_sent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    attack = Attack(bench)
    monkeypatch.setattr(quotas, "SPARE", 1 << 60)
    problem(attack.create(), 507, "no-room")
    with bench.receiver.db.read() as session:
        assert session.scalar(select(func.count()).select_from(Upload)) == 0


def test_the_quarantine_of_a_unit_cannot_be_filled(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    attack = Attack(bench)
    strangers = [bench.device(SERIAL, f"stranger{number}") for number in range(KEYS_WAITING + 2)]
    for stranger in strangers[:KEYS_WAITING]:
        problem(bench.enrol(stranger, attack.rma), 403, "quarantined")
    problem(bench.enrol(strangers[-2], attack.rma), 403, "too-many-keys")
    vouched = rotation(SERIAL, strangers[-1].key.public, strangers[0].key)
    problem(bench.enrol(strangers[-1], attack.rma, vouched), 403, "too-many-keys")
    problem(bench.enrol(strangers[0], attack.rma), 403, "quarantined")  # it waits already
    assert attack.enrol().status_code == 200  # whose unit it is notices nothing

    def waiting() -> int:
        with bench.receiver.db.read() as session:
            of_state = select(func.count()).select_from(DeviceKey).where(DeviceKey.state == "quarantined")
            return session.scalar(of_state) or 0

    assert waiting() == KEYS_WAITING
    data = ["--data", str(bench.receiver.settings.data)]
    bundle = str(strangers[-1].bundle(None).path)
    assert main(["import", *data, bundle, "--rma", attack.rma]) == 2  # by hand it is taken, for staff to look at
    assert "kept in quarantine" in capsys.readouterr().err
    assert waiting() == KEYS_WAITING + 1
    for stranger in strangers[:2]:
        assert main(["revoke-key", *data, "--serial", SERIAL, "--key", stranger.key.public.keyid]) == 0
    problem(bench.enrol(strangers[-2], attack.rma), 403, "quarantined")  # there is room again
    new = bench.device(SERIAL, "new")
    handed_over = rotation(SERIAL, new.key.public, attack.device.key)
    assert bench.enrol(new, attack.rma, handed_over).status_code == 200


def in_outbox(bench: Bench, attack: Attack) -> tuple[Outbox, Any, Receiver]:
    outbox = Outbox(bench.folder / "outbox")
    sealed = attack.device.bundle(attack.rma)
    entry = outbox.add(sealed.path, rma=attack.rma, server=bench.http.base_url)
    return outbox, entry, Receiver(bench.http.base_url, bench.folder / "state")


def test_the_uploader_waits_as_long_as_it_is_told_when_that_is_short(bench: Bench) -> None:
    attack = Attack(bench)
    bench.receiver.limits = Limits({**RATES, "creations-of-case": Rate(1, 1.0)})
    attack.create()
    outbox, entry, receiver = in_outbox(bench, attack)
    receipt = send(outbox, entry, receiver, retries=NO_PAUSE)
    assert receipt.sha256 == entry.sha256


@pytest.mark.parametrize(
    ("constant", "value", "says"),
    [
        ("BUNDLES_OF_CASE", 0, "the receiver takes no more bundles for this case; ask service staff"),
        ("SPARE", 1 << 60, "the receiver has no room at the moment; try again in a few hours"),
        ("BYTES_OF_CASE", 0, "the receiver has too much to do; try again in 1440 min"),
    ],
)
def test_the_uploader_gives_up_for_now_and_the_outbox_keeps_the_bundle(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, constant: str, value: int, says: str
) -> None:
    attack = Attack(bench)
    bench.create(attack.rma, SERIAL, b"0123456789")
    outbox, entry, receiver = in_outbox(bench, attack)
    with monkeypatch.context() as patched:
        if constant == "BYTES_OF_CASE":
            value = outbox.bundle(entry).stat().st_size + 9
        patched.setattr(quotas, constant, value)
        with pytest.raises(TooMuch) as told:
            send(outbox, entry, receiver, retries=NO_PAUSE)
    assert str(told.value.reason) == says
    kept = outbox.get(entry.sha256)
    assert (kept.state, kept.attempts, kept.last_error) == (State.WAITING, 1, told.value.reason)
    assert hashlib.sha256(outbox.bundle(kept).read_bytes()).hexdigest() == entry.sha256
    assert send(outbox, kept, receiver, retries=NO_PAUSE).sha256 == entry.sha256


def test_a_unit_that_may_not_enrol_now_is_told_so(bench: Bench, tight: Callable[[str], None]) -> None:
    attack = Attack(bench)
    receiver = Receiver(bench.http.base_url, bench.folder / "state")
    tight("enrolments-of-case")
    for _ in range(3):
        receiver.enrol(attack.rma, SERIAL, attack.device.key)
    with pytest.raises(TooMuch, match="has too much to do; try again in 1 min"):
        receiver.enrol(attack.rma, SERIAL, attack.device.key)
