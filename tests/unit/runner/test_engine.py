"""Steps that misbehave in every way a process can, and what the engine makes of each."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from agent.journal import Journal, read
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text
from agent.model.run_view import JOURNAL, RunView
from agent.runner.engine import Engine
from agent.runner.recorder import Recorder
from agent.runner.step import Step, StepResult
from agent.runner.worker import GRACE_S, Item, Send, Work

ROOT = Path(__file__).resolve().parents[3]
EVIDENCE = Evidence("tree", "", b'{"/a": "1"}', "test", "2026-01-01T00:00:00.000Z")


def reading(name: str = "test.value", value: float = 1.0) -> Reading:
    return Reading(name, value, "1", ComponentKind.CPU, "", "test", "2026-01-01T00:00:00.000Z")


def good(send: Send) -> None:
    send(reading())


def hangs(send: Send) -> None:
    send(reading())
    time.sleep(60)


def ignores_signals(send: Send) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    time.sleep(60)


def spins(send: Send) -> None:
    while True:
        pass


def raises(send: Send) -> None:
    send(reading())
    raise RuntimeError("this step is broken")


def crashes(send: Send) -> None:
    send(reading())
    ctypes.string_at(0)


def exits(send: Send) -> None:
    send(reading())
    os._exit(7)


def killed(send: Send) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def pipe_of_worker() -> int:
    """The worker holds its three streams and this pipe, nothing else."""
    (fd,) = [fd for fd in range(3, 256) if Path(f"/proc/self/fd/{fd}").is_symlink()]
    return fd


def garbles(send: Send) -> None:
    send(reading())
    os.write(pipe_of_worker(), b"\xff" * 64)


def lies_about_size(send: Send) -> None:
    os.write(pipe_of_worker(), (2**31).to_bytes(4, "big") * 2)


def half_a_frame(send: Send) -> None:
    os.write(pipe_of_worker(), (100).to_bytes(4, "big"))


def not_a_reading(send: Send) -> None:
    body = b'{"is": "reading", "item": {"name": 3}}'
    os.write(pipe_of_worker(), len(body).to_bytes(4, "big") + bytes(4) + body)


def leaves_a_child_with_the_pipe(send: Send) -> None:
    send(reading())
    if os.fork() == 0:
        os.setsid()  # out of the reach of the worker's group; it ends by itself
        time.sleep(3)
        os._exit(0)


def says_nothing(send: Send) -> None:
    pass


def not_even_an_item(send: Send) -> None:
    body = b'{"is": "gap", "item": {"subject": "", "outcome": "error", "reason": 1, "essential": 1, "remedy": ""}}'
    os.write(pipe_of_worker(), len(body).to_bytes(4, "big") + bytes(4) + body)


def says_more_than_a_record_holds(send: Send) -> None:
    send(reading())
    send(Reading("test.text", "x" * 5_000_000, "", ComponentKind.CPU, "", "test", "2026-01-01T00:00:00.000Z"))


def exhausts_memory(send: Send) -> None:
    raise MemoryError


def prints(send: Send) -> None:
    os.write(1, b"this must not be seen")
    os.write(2, b"this must not be seen")
    send(reading())


BAD: list[tuple[Work, str]] = [
    (hangs, "step-timed-out"),
    (ignores_signals, "step-timed-out"),
    (spins, "step-timed-out"),
    (raises, "step-failed"),
    (crashes, "step-crashed"),
    (exits, "step-crashed"),
    (killed, "step-crashed"),
    (garbles, "step-failed"),
    (lies_about_size, "step-failed"),
    (half_a_frame, "step-failed"),
    (not_a_reading, "step-failed"),
    (not_even_an_item, "step-failed"),
    (says_more_than_a_record_holds, "step-failed"),
    (exhausts_memory, "step-failed"),
]


@pytest.mark.parametrize(("work", "symptom"), BAD, ids=[work.__name__ for work, _ in BAD])
def test_a_bad_step_is_an_error_and_its_neighbour_passes(work: Work, symptom: str) -> None:
    limit = 0.3 if symptom == "step-timed-out" else 20  # a busy machine must not turn the others into it
    bad, fine = Engine().run([Step("bad", work, limit), Step("fine", good, 20)])
    assert bad.outcome is Outcome.ERROR
    assert bad.trouble[0].symptom == symptom
    assert bad.reason is not None
    assert fine.outcome is Outcome.PASS
    assert fine.readings == [reading()]


def test_a_step_that_cannot_be_started_is_an_error_and_its_neighbour_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second fork is refused, as by a limit on processes; what the kernel would say is said by the test."""
    fork, forks = os.fork, iter([True, False, True])

    def refuse_the_second() -> int:
        if next(forks, True):
            return fork()
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse_the_second)
    before = len(os.listdir("/proc/self/fd"))
    first, second, third = Engine().run([Step(name, good, 5) for name in "abc"])
    assert [first.outcome, second.outcome, third.outcome] == [Outcome.PASS, Outcome.ERROR, Outcome.PASS]
    assert second.trouble[0].symptom == "step-not-started"
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # the engine's own selector


@pytest.mark.parametrize("work", [hangs, raises, crashes, exits, garbles], ids=lambda w: str(w.__name__))
def test_what_came_before_the_trouble_is_kept(work: Work) -> None:
    (result,) = Engine().run([Step("bad", work, 0.3)])
    assert result.readings == [reading()]


def test_no_step_holds_the_run_longer_than_its_timeout() -> None:
    start = time.monotonic()
    Engine().run([Step(f"bad{i}", ignores_signals, 0.3) for i in range(8)])
    assert time.monotonic() - start < 0.3 + GRACE_S + 2  # a bound against hanging, not a timing


def test_a_child_left_with_the_pipe_does_not_hold_the_step() -> None:
    (result,) = Engine().run([Step("step", leaves_a_child_with_the_pipe, 2.5)])
    assert result.outcome is Outcome.PASS
    assert result.duration_s < 2.5


def test_nothing_seen_is_unsupported() -> None:
    (result,) = Engine().run([Step("step", says_nothing, 5)])
    assert result.outcome is Outcome.UNSUPPORTED


def test_a_step_cannot_write_to_our_streams(capfd: pytest.CaptureFixture[str]) -> None:
    Engine().run([Step("step", prints, 5)])
    assert capfd.readouterr() == ("", "")


def test_a_step_holds_no_descriptor_of_the_agent(tmp_path: Path) -> None:
    def work(send: Send) -> None:
        fds = sorted(int(fd) for fd in os.listdir("/proc/self/fd"))
        send(reading(value=len(fds)))

    with open(tmp_path / "open", "wb"):
        (result,) = Engine().run([Step("step", work, 5)])
    assert result.readings[0].value == 5  # three streams, the pipe, and the listing's own


@pytest.mark.parametrize("work", [hangs, raises], ids=["hangs", "raises"])
def test_evidence_of_an_ended_step_is_interpreted(work: Work) -> None:
    def gather(send: Send) -> None:
        send(EVIDENCE)
        work(send)

    def salvage(evidence: Sequence[Evidence], send: Send) -> None:
        send(reading("test.salvaged", float(len(evidence[0].data))))

    (result,) = Engine().run([Step("step", gather, 0.3, salvage)])
    assert result.outcome is Outcome.ERROR
    assert [r.name for r in result.readings] == ["test.value", "test.salvaged"]


def test_a_salvage_that_breaks_too_ends() -> None:
    def gather(send: Send) -> None:
        send(EVIDENCE)
        raise RuntimeError

    def salvage(evidence: Sequence[Evidence], send: Send) -> None:
        raise ValueError("again")

    (result,) = Engine().run([Step("step", gather, 5, salvage)])
    assert [t.symptom for t in result.trouble] == ["step-failed", "step-failed"]


@pytest.mark.parametrize(
    ("gaps", "outcome"),
    [
        ([(Outcome.UNSUPPORTED, False)], Outcome.PASS),
        ([(Outcome.ERROR, False)], Outcome.PASS),
        ([(Outcome.UNSUPPORTED, True)], Outcome.UNSUPPORTED),
        ([(Outcome.SKIPPED, True)], Outcome.SKIPPED),
        ([(Outcome.UNSUPPORTED, True), (Outcome.ERROR, True)], Outcome.ERROR),
    ],
)
def test_the_worst_essential_gap_decides(gaps: list[tuple[Outcome, bool]], outcome: Outcome) -> None:
    def work(send: Send) -> None:
        send(reading())
        for kind, essential in gaps:
            send(Gap("", kind, Text("why"), essential))

    (result,) = Engine().run([Step("step", work, 5)])
    assert result.outcome is outcome


def test_large_evidence_arrives_whole() -> None:
    data = os.urandom(5_000_000)
    taken: list[Item] = []

    def work(send: Send) -> None:
        send(Evidence("blob", "", data, "test", ""))

    class Taker(Silent):
        def received(self, step: Step, item: Item) -> None:
            taken.append(item)

    Engine([Taker()]).run([Step("step", work, 20)])
    assert [e.data for e in taken if isinstance(e, Evidence)] == [data]


class Silent:
    def started(self, steps: Sequence[Step]) -> None: ...
    def received(self, step: Step, item: Item) -> None: ...
    def ended(self, step: Step, result: StepResult) -> None: ...
    def tick(self) -> None: ...


class StopsAt(Silent):
    def __init__(self, moment: str, error: Callable[[], BaseException]) -> None:
        self.moment, self.error = moment, error
        self.closed: dict[str, Outcome | None] = {}

    def received(self, step: Step, item: Item) -> None:
        if self.moment == "received":
            raise self.error()

    def ended(self, step: Step, result: StepResult) -> None:
        self.closed[step.id] = result.outcome


def test_a_person_can_stop_and_nothing_stays_behind() -> None:
    observer = StopsAt("received", KeyboardInterrupt)
    engine = Engine([observer])
    with pytest.raises(KeyboardInterrupt):
        engine.run([Step("a", hangs, 60), Step("b", ignores_signals, 60)])
    assert observer.closed == {"a": Outcome.SKIPPED, "b": Outcome.SKIPPED}
    assert children() == []


def test_an_observer_that_breaks_ends_the_run_with_its_own_error() -> None:
    with pytest.raises(ZeroDivisionError):
        Engine([StopsAt("received", ZeroDivisionError)]).run([Step("a", hangs, 60)])
    assert children() == []


def naps(send: Send) -> None:
    time.sleep(0.05)
    send(reading())


class Counts(Silent):
    """How many steps are open at a time."""

    def __init__(self) -> None:
        self.open = self.most = 0

    def started(self, steps: Sequence[Step]) -> None:
        self.open += len(steps)
        self.most = max(self.most, self.open)

    def ended(self, step: Step, result: StepResult) -> None:
        self.open -= 1


@pytest.mark.parametrize("at_once", [1, 3, None])
def test_no_more_steps_run_at_once_than_asked_for(at_once: int | None) -> None:
    observer = Counts()
    steps = [Step(str(number), naps, 10) for number in range(7)]
    results = Engine([observer]).run(steps, at_once)
    assert [(r.step, r.outcome) for r in results] == [(step.id, Outcome.PASS) for step in steps]
    assert observer.most == (at_once or len(steps))
    assert observer.open == 0


def test_a_step_that_waited_for_its_turn_has_all_of_its_time() -> None:
    first, second = Engine().run([Step("hangs", hangs, 0.6), Step("naps", naps, 0.5)], at_once=1)
    assert (first.outcome, second.outcome) == (Outcome.ERROR, Outcome.PASS)


def test_what_had_not_begun_when_the_person_stopped_has_no_result() -> None:
    observer = StopsAt("received", KeyboardInterrupt)
    engine = Engine([observer])
    with pytest.raises(KeyboardInterrupt):
        engine.run([Step("a", hangs, 60), Step("b", good, 60)], at_once=1)
    assert observer.closed == {"a": Outcome.SKIPPED}
    assert set(engine.results) == {"a"}


def heats(send: Send) -> None:
    send(reading())
    if os.fork() == 0:  # as an exerciser does
        time.sleep(60)
        os._exit(0)
    time.sleep(60)


def too_hot() -> Text | None:
    return Text("stopped at {temperature} °C, too close to the limit", {"temperature": 96.5})


def test_a_guard_stops_its_step_at_once_and_all_that_it_started() -> None:
    start = time.monotonic()
    guarded, other = Engine().run([Step("guarded", heats, 60, guard=too_hot), Step("other", good, 60)])
    assert time.monotonic() - start < 10  # a bound against hanging, not a timing
    assert guarded.outcome is Outcome.SKIPPED
    assert "96.5" in str(guarded.reason)
    assert guarded.trouble == []
    assert other.outcome is Outcome.PASS
    assert children() == []


def test_a_guard_that_is_content_changes_nothing() -> None:
    (result,) = Engine().run([Step("step", lambda send: (time.sleep(0.5), good(send))[1], 60, guard=lambda: None)])
    assert (result.outcome, result.reason, result.trouble) == (Outcome.PASS, None, [])
    assert children() == []


def test_a_guard_looks_again_and_again(tmp_path: Path) -> None:
    """Cool at first, hot later."""
    looks = tmp_path / "looks"

    def guard() -> Text | None:
        with open(looks, "a") as file:
            file.write(".")
        return too_hot() if looks.stat().st_size >= 3 else None

    (result,) = Engine().run([Step("step", heats, 60, guard=guard)])
    assert result.outcome is Outcome.SKIPPED
    assert looks.read_text() == "..."


def never_answers() -> Text | None:
    time.sleep(60)
    return None


def breaks() -> Text | None:
    raise RuntimeError("the guard is broken")


@pytest.mark.parametrize("guard", [never_answers, breaks])
def test_hardware_that_nobody_can_watch_is_not_exercised(
    guard: Callable[[], Text | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sensor that does not answer holds neither the run nor the step's neighbours."""
    monkeypatch.setattr("agent.runner.guarding.SILENCE_S", 0.5)
    start = time.monotonic()
    guarded, other = Engine().run([Step("guarded", heats, 60, guard=guard), Step("other", good, 60)])
    assert time.monotonic() - start < 10
    assert guarded.outcome is Outcome.ERROR
    assert guarded.trouble[0].symptom == "guard-failed"
    assert other.outcome is Outcome.PASS
    assert other.duration_s < 0.5
    assert children() == []


def test_the_time_in_which_the_agent_itself_stood_still_counts_for_nobody() -> None:
    """Ctrl-Z and fg, or a disk that holds up the journal: a worker with much to say waits for us, not we for it."""

    class Stops(Silent):
        stopped = False

        def tick(self) -> None:
            if not self.stopped:
                self.stopped = True
                time.sleep(2.5)

    def much_to_say(send: Send) -> None:
        for _ in range(40):
            send(Evidence("blob", "", bytes(100_000), "test", ""))
            time.sleep(0.02)
        send(reading())

    (result,) = Engine([Stops()]).run([Step("step", much_to_say, 2)])
    assert (result.outcome, result.trouble) == (Outcome.PASS, [])


INTERRUPTED = """
import os, signal, time
from agent.runner.engine import Engine
from agent.runner.step import Step

os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGINT))
try:
    Engine().run([Step("a", lambda send: time.sleep(60), 60)])
except KeyboardInterrupt:
    print("stopped")
"""


def test_ctrl_c_while_a_step_is_forked_is_not_lost() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ran.stdout, ran.stderr) == ("stopped\n", "")


AGENT = """
import os, sys, time
from agent.runner.engine import Engine
from agent.runner.step import Step

def work(send):
    with open(sys.argv[1] + ".new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    time.sleep(60)

Engine().run([Step("a", work, 60)])
"""


def test_steps_die_with_the_agent(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", AGENT, str(told)], env={"PYTHONPATH": str(ROOT)}) as agent:
        wait_for(told.exists)
        worker = int(told.read_text())
        agent.kill()
    wait_for(lambda: not Path(f"/proc/{worker}").exists() or "Z" in Path(f"/proc/{worker}/stat").read_text().split()[2])


def wait_for(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


class StoppedAtTheStart:
    """A person presses Ctrl-C just when the starts are on record."""

    def started(self, steps: Sequence[Step]) -> None:
        raise KeyboardInterrupt

    def received(self, step: Step, item: Item) -> None:
        raise AssertionError("nothing was begun")

    def ended(self, step: Step, result: StepResult) -> None:
        """Nothing."""

    def tick(self) -> None:
        """Nothing."""


def test_steps_that_are_on_record_and_were_never_begun_are_closed_too(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "run") as journal:
        engine = Engine([Recorder(journal), StoppedAtTheStart()])
        with pytest.raises(KeyboardInterrupt):
            engine.run([Step("probe.a", lambda send: None, 5.0), Step("probe.b", lambda send: None, 5.0)])
        assert journal.open_steps == ()
    assert {result.outcome for result in engine.results.values()} == {Outcome.SKIPPED}
    view = RunView.from_records(read(tmp_path / "run" / JOURNAL))
    assert view.outcomes == {"probe.a": Outcome.SKIPPED, "probe.b": Outcome.SKIPPED}
