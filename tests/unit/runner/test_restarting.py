"""Restarts that a plan asks for: what is on the disk before, what is made of it after, and where none may be. The unit
is this machine, which does not restart: what its journal says of the boot is changed to another one instead.
"""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import Host
from agent.journal import RunStore, read
from agent.model import Evidence, Outcome, Text, Tree
from agent.model.run_view import JOURNAL, RunView
from agent.replay.cycles import Cycles
from agent.replay.round import Round
from agent.runner import restarting
from agent.runner.cycling import CYCLING, cycling, parameters
from agent.runner.engine import STOPPING
from agent.runner.recording import Asked, boot_id
from agent.runner.restarting import STATE, Restarter, Restarting, RestartRefused, stays_away
from agent.runner.resuming import Resumed, reopen, resumable
from agent.runner.returned import started_once
from agent.tools import PROGRAMS, Program
from tests.ocp import validate_lines

UNIT = {"serial": "AIO24-0001", "model": "AIO-24"}
LAST = """reboot   system boot  6.1.0-13-amd64   Fri Jan  2 02:54:05 2026   still running
{} 6.1.0-13-amd64   Fri Jan  2 02:53:00 2026 - Fri Jan  2 02:54:05 2026  (00:01)

wtmp begins Tue May 20 00:00:00 2025
"""  # as last(1) of util-linux 2.38 prints it
IN_ORDER, CUT_OFF = "shutdown system down ", "reboot   system boot "
MOUNTS = """22 27 0:21 / /proc rw,relatime - proc proc rw
25 24 0:23 / /dev/shm rw,relatime - tmpfs tmpfs rw,size=24683652k
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard,resv_strict
"""  # of a virtual machine
LIVE = "27 1 0:29 / / rw,noatime - overlay overlay rw,lowerdir=/run/live/rootfs,upperdir=/run/live/overlay/rw\n"
VOLATILE_HOME = MOUNTS + "40 27 0:40 / /var/lib rw - tmpfs tmpfs rw\n"
EFI = "/sys/firmware/efi/efivars/Boot{}-8be4df61-93ca-11d2-aa0d-00e098032b8c"


class StandIn(Restarter):
    """In the place of systemd and of what a unit must have for a restart; it looks at what is on the disk by then."""

    def __init__(self, store: RunStore, refused: Text | None = None) -> None:
        self._store, self._refused = store, refused
        self.on_disk: list[tuple[str, ...]] = []
        self.announced = 0

    def refusal(self) -> Text | None:
        return None

    def announce(self) -> None:
        self.announced += 1

    def ask(self) -> Text | None:
        (run_id,) = self._store.open_runs()
        view = RunView.from_records(read(self._store.path(run_id) / JOURNAL))
        self.on_disk.append(tuple(name for name, step in view.steps.items() if step.outcome is None))
        return self._refused


def told(_: Round) -> None:
    """Nobody listens."""


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "state")


def ends(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How the last session ended, as ``last`` has it."""
    script = tmp_path / "last"
    script.write_text("#!/bin/sh\ncat <<'E'\n" + LAST.format(how) + "E\n")
    script.chmod(0o755)
    monkeypatch.setitem(PROGRAMS, "last", replace_paths("last", script))


def replace_paths(program: str, script: Path) -> Program:
    return PROGRAMS[program]._replace(paths=(str(script),))


def begun(store: RunStore, times: int, restarter: Restarter) -> None:
    state = Cycles(times)
    asked = Asked("restarts", "restarts", "1", (CYCLING,), None, None, "en", "aiodiag", UNIT, parameters(state, None))
    _, journal = store.new()
    with journal, pytest.raises(Restarting):
        cycling(asked, journal, Host(), state, restarter=restarter)


def up_again(store: RunStore, name: str, restarter: Restarter) -> Resumed:
    """Go on in what must look like another boot; raises what the run does."""
    (run_id,) = store.open_runs()
    journal = store.path(run_id) / JOURNAL
    journal.write_text(journal.read_text().replace(boot_id(), name))
    waiting = resumable(store)
    assert waiting is not None
    again = reopen(waiting)
    with again.journal:
        again.walk(Host(), told, restarter=restarter)
    return again


def test_two_restarts_count_two_and_each_is_on_the_disk_before(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: Path
) -> None:
    ends(IN_ORDER, tmp_path, monkeypatch)
    restarter = StandIn(store)
    begun(store, 2, restarter)
    (run_id,) = store.open_runs()
    with pytest.raises(Restarting):
        up_again(store, "first", restarter)
    assert restarter.on_disk == [("1.round", "1.restart"), ("2.round", "2.restart")]
    assert restarter.announced == 2
    state = up_again(store, "second", restarter).state
    assert isinstance(state, Cycles)
    view = RunView.from_records(read(store.path(run_id) / JOURNAL))
    assert (state.counted, state.failed, state.goes_on) == (2, 0, False), [r.shown for r in state.rounds]
    assert view.boots == ["first", "second", boot_id()]
    assert view.outcomes["restarts"] is Outcome.PASS
    assert view.outcomes["1.restart"] is view.outcomes["2.round"] is Outcome.PASS
    assert view.steps["2.restart"].parameters["restarts"] == 2
    assert view.complete
    assert validate_lines(store.path(run_id) / JOURNAL, shared) > 40
    assert resumable(store) is None


def test_a_session_that_was_cut_off_is_a_failure_of_the_restart(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends(CUT_OFF, tmp_path, monkeypatch)
    restarter = StandIn(store)
    begun(store, 1, restarter)
    again = up_again(store, "before", restarter)
    (played,) = again.state.rounds
    assert "DOWN-8715" in [signature.code for signature in played.shown]
    assert not played.whole
    assert again.state.failed == again.state.counted == 1  # type: ignore[union-attr]


def test_where_the_unit_did_not_restart_the_round_counts_for_nothing(store: RunStore) -> None:
    restarter = StandIn(store)
    begun(store, 1, restarter)
    waiting = resumable(store)
    assert waiting is not None
    again = reopen(waiting)
    again.journal.close()
    assert again.asked is None
    assert again.cut_off is None
    assert again.state.rounds == []


def test_a_restart_that_is_refused_ends_the_run(store: RunStore) -> None:
    refused = StandIn(store, Text("needs root"))
    state = Cycles(1)
    asked = Asked("restarts", "restarts", "1", (CYCLING,), None, None, "en", "aiodiag", UNIT, parameters(state, None))
    run_id, journal = store.new()
    with journal, pytest.raises(RestartRefused):
        cycling(asked, journal, Host(), state, restarter=refused)
    view = RunView.from_records(read(store.path(run_id) / JOURNAL))
    assert view.outcomes["1.restart"] is Outcome.ERROR
    assert view.outcomes["1.round"] is Outcome.SKIPPED
    assert view.ended
    assert resumable(store) is None


def test_there_is_an_end_to_restarts(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.runner.rounds.MOST", 0)
    state = Cycles(1)
    asked = Asked("restarts", "restarts", "1", (CYCLING,), None, None, "en", "aiodiag", UNIT, parameters(state, None))
    restarter = StandIn(store)
    _, journal = store.new()
    with journal, pytest.raises(RestartRefused):
        cycling(asked, journal, Host(), state, restarter=restarter)
    assert restarter.on_disk == []


def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    file = tmp_path / "systemctl"
    file.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n{script}\n')
    file.chmod(0o755)
    monkeypatch.setitem(PROGRAMS, "systemctl", replace_paths("systemctl", file))
    return tmp_path / "asked"


def test_systemd_is_asked_and_no_signal_ends_the_agent_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = systemctl(tmp_path, monkeypatch, "exit 0")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        assert Restarter(Host(), STATE, lambda _: None).ask() is None
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) >= STOPPING
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert asked.read_text() == "reboot\n"


def test_a_refusal_of_systemd_is_told_and_the_agent_can_be_stopped_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemctl(tmp_path, monkeypatch, "echo 'Operation inhibited' >&2; exit 1")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert str(Restarter(Host(), STATE, lambda _: None).ask()) == "systemctl failed: Operation inhibited"
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_the_person_is_told_how_to_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarting, "PAUSE_S", 0.2)
    said: list[str] = []
    began = time.monotonic()
    Restarter(Host(), STATE, lambda text: said.append(str(text))).announce()
    assert time.monotonic() - began >= 0.2
    assert "Ctrl-C" in said[0]
    assert "systemctl stop aiodiag-resume.service" in said[0]


def test_a_state_directory_where_the_service_does_not_look_is_refused(tmp_path: Path) -> None:
    host = Host()
    host.is_root = True
    assert Restarter(host, tmp_path, lambda _: None).refusal() is not None
    host.is_root = False
    assert str(Restarter(host, STATE, lambda _: None).refusal()) == "needs root"


def tree(mounts: str = MOUNTS, kexec: str = "0\n", **boot: bytes) -> Tree:
    known: dict[str, object] = {"/proc/self/mountinfo": mounts, "/sys/kernel/kexec_loaded": kexec}
    found = Tree()
    found.files.update(known)  # type: ignore[arg-type]
    for what, data in boot.items():
        import base64

        found.files[EFI.format(what)] = {"base64": base64.b64encode(b"\7\0\0\0" + data).decode()}
    return found


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (tree(), None),
        (tree(LIVE), "keeps nothing over a restart"),
        (tree(VOLATILE_HOME), "keeps nothing over a restart"),
        (tree(""), "keeps nothing over a restart"),
        (tree(kexec="1\n"), "kexec"),
        (tree(Current=b"\1\0", Order=b"\1\0\0\0"), None),
        (tree(Current=b"\1\0", Order=b"\0\0\1\0"), "boot order"),
        (tree(Current=b"\1\0", Order=b"\1\0", Next=b"\2\0"), "something else the next time"),
        (tree(Current=b"\1\0"), None),
    ],
)
def test_a_unit_that_would_not_come_back_is_not_restarted(found: Tree, said: str | None) -> None:
    reason = stays_away(found, str(STATE))
    assert (reason is None) if said is None else (reason is not None and said in str(reason))


@given(st.text(), st.binary(max_size=9), st.binary(max_size=9))
def test_no_file_breaks_it(mounts: str, current: bytes, order: bytes) -> None:
    stays_away(tree(MOUNTS + mounts, Current=current, Order=order), str(STATE))


A, B, C = "a" * 32, "b" * 32, "c" * 32
BOOTS = (
    f" -2 {A} Thu 2026-11-26 09:00:00 UTC Thu 2026-11-26 09:05:00 UTC\n"
    f" -1 {B} Thu 2026-11-26 09:05:20 UTC Thu 2026-11-26 09:06:00 UTC\n"
    f"  0 {C} Thu 2026-11-26 09:06:20 UTC Thu 2026-11-26 09:07:00 UTC\n"
)


def boots(text: str, problem: Text | None = None) -> Evidence:
    return Evidence("boots", "", text.encode(), "journalctl", "2026-11-26T09:07:00.000Z", 0, problem=problem)


def test_a_boot_in_between_is_noticed() -> None:
    assert started_once(boots(BOOTS), B, C)
    assert not started_once(boots(BOOTS), A, C)
    assert started_once(boots(""), A, C), "nothing says that there was one"
    assert started_once(boots(BOOTS, Text("needs root")), A, C)
    dashed = f"{B[:8]}-{B[8:12]}-{B[12:16]}-{B[16:20]}-{B[20:]}"
    assert started_once(boots(BOOTS), dashed, C), "as the kernel writes it"


def test_what_it_asks_for_is_strict_json() -> None:
    assert json.loads(json.dumps(parameters(Cycles(3), None)))["work"]["restarts"] is True
