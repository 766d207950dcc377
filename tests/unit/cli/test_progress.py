"""What is said of a run of rounds while it goes on."""

from __future__ import annotations

import pytest

from agent.cli.progress import Live
from agent.model import Heartbeat
from agent.runner.step import Step, StepResult


def step(name: str) -> Step:
    return Step(name, lambda send: None, 5.0)


def test_the_tests_of_the_round_are_named_and_how_warm_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    live = Live("es")
    with live:
        assert live.words() == ""
        names = ["3.1.watch.panel", "3.1.test.memory", "3.1.test.cpu"]
        live.started([step(name) for name in names])
        live.received(step("3.1.test.memory"), Heartbeat(1.0, 100.0, 2.0, 71.5))
        assert live.words() == "3: prueba de memoria, prueba del procesador  71.5 °C"
        for name in names:
            live.ended(step(name), StepResult(name))
        live.started([step("probe.memory")])
        assert live.words() == "memoria  71.5 °C"
        live.received(step("probe.memory"), Heartbeat(2.0, 101.0, 2.0, None))
        live.tick()
        assert live.words() == "memoria"
    assert capsys.readouterr().out == ""
