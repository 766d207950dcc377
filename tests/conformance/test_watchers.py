"""Every watcher keeps the contract of ``agent.watch._watcher.Watcher``."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import watch
from agent.host import Host
from agent.model import Evidence, Gap, Reading
from agent.texts.words import WATCHERS
from agent.watch import for_seconds

TIME = "2026-01-01T00:00:00.000Z"
WRITES = re.compile(
    r"\.write_text|\.write_bytes|\bunlink\b|\brename\b|\bO_WRONLY\b|\bO_RDWR\b|\bO_CREAT\b|chmod|chown|\.changing\b"
)

KINDS = (
    *("tree", "nonsense", "kmsg", "kmsg-names", "sensor-series-json"),
    *(f"{name}-watch-json" for name in ("heartbeat", "kernel-log", "panel", "thermals")),
)

each = pytest.mark.parametrize("name", watch.watchers())


def source(name: str) -> str:
    return Path(inspect.getfile(sys.modules[type(watch.load(name)).__module__])).read_text()


def test_the_guard_is_no_watcher() -> None:
    assert watch.watchers()
    with pytest.raises(KeyError):
        watch.load("_heat")


@each
def test_it_says_who_it_is_in_a_word_for_customers(name: str) -> None:
    assert watch.load(name).name == name
    assert name in WATCHERS


@each
def test_its_documentation_names_readings_units_and_sources(name: str) -> None:
    text = ast.get_docstring(ast.parse(source(name))) or ""
    assert re.search(rf"{name}_watch\.[a-z0-9_.]*[a-z0-9_]", text), "which readings does it give?"
    assert re.search(r"[Ss]ource", text), "where are formats and figures from?"
    assert re.search(r"\((count|B|%|s|°C|1)", text), "in which units?"


@each
def test_it_writes_nothing(name: str) -> None:
    assert not WRITES.search(source(name))


@each
def test_it_ends_in_time_and_its_evidence_is_understood(name: str) -> None:
    watcher = watch.load(name)
    started = time.monotonic()
    gathered = list(watcher.watch(Host(), for_seconds(0.3)))
    assert time.monotonic() - started < 5
    evidence = [item for item in gathered if isinstance(item, Evidence)]
    for item in watcher.interpret(evidence):
        assert not isinstance(item, Reading) or item.name.startswith(f"{name}_watch.")


@each
def test_nothing_to_watch_gives_nothing(name: str, tmp_path: Path) -> None:
    watcher = watch.load(name)
    assert list(watcher.watch(Host(str(tmp_path)), for_seconds(0.2))) == []
    assert list(watcher.interpret([])) == []


@each
@given(data=st.binary(max_size=300), kind=st.sampled_from(KINDS), subject=st.sampled_from(["", "before", "after"]))
def test_whatever_the_evidence_it_gives_readings_or_gaps(name: str, data: bytes, kind: str, subject: str) -> None:
    for item in watch.load(name).interpret([Evidence(kind, subject, data, "somewhere", TIME)]):
        assert isinstance(item, Reading | Gap)
