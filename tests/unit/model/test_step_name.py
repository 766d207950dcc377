"""What a step is called, and which round it belongs to."""

from __future__ import annotations

import pytest

from agent.model.step_name import concludes, plain, round_of


@pytest.mark.parametrize(
    ("step", "number", "name", "follows"),
    [
        ("probe.memory", None, "probe.memory", False),
        ("watch.memory.panel", None, "watch.memory.panel", False),
        ("rules", None, "rules", True),
        ("3.1.test.memory", 3, "test.memory", False),
        ("3.12.watch.panel", 3, "watch.panel", False),
        ("3.rules", 3, "rules", True),
        ("3.left.probe.mce", 3, "probe.mce", False),
        ("3.left.rules", 3, "rules", True),
        ("12.round", 12, "round", True),
        ("3.down", 3, "down", True),
        ("3.down.probe.mce", 3, "probe.mce", False),
        ("3.down.rules", 3, "rules", True),
        ("regression.probe.mce", None, "probe.mce", False),
        ("regression.rules", None, "rules", True),
        ("reproduction", None, "reproduction", True),
        ("resume.1", None, "resume.1", True),
        ("profile", None, "profile", False),
        ("3", None, "3", False),
        ("", None, "", False),
    ],
)
def test_names(step: str, number: int | None, name: str, follows: bool) -> None:
    assert (round_of(step), plain(step), concludes(step)) == (number, name, follows)
