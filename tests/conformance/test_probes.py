"""Every probe keeps the contract of ``agent.probes._probe.Probe``."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.host import Host
from agent.model import Component, Evidence, Gap, Outcome, Reading
from agent.probes import areas, load
from agent.probes._probe import Seen
from agent.texts.words import AREAS
from agent.tools import PROGRAMS

TIME = "2026-01-01T00:00:00.000Z"
WRITES = re.compile(
    r"\.write_text|\.write_bytes|\bunlink\b|\bmkdir\b|\brename\b|\bO_WRONLY\b|\bO_RDWR\b|\bO_CREAT\b|chmod|chown"
    r"|\.changing\b"
)
STARTS = re.compile(r"\bsubprocess\b|\bos\.(system|popen|exec\w*|spawn\w*|fork)\b|\bpty\b|\bsocket\b")

pytestmark = pytest.mark.parametrize("area", areas())


def sources(area: str) -> list[Path]:
    module = sys.modules[type(load(area)).__module__]
    path = Path(inspect.getfile(module))
    return sorted(path.parent.glob("*.py")) if path.name == "__init__.py" else [path]


def documentation(area: str) -> str:
    return "\n".join(ast.get_docstring(ast.parse(source.read_text())) or "" for source in sources(area)) + "\n".join(
        inspect.getdoc(part) or "" for part in (load(area), type(load(area)).interpret, type(load(area)).gather)
    )


def test_it_says_who_it_is(area: str) -> None:
    probe = load(area)
    assert probe.area == area
    assert 0 < probe.timeout_s <= 60
    assert area in AREAS, "an area needs a word that a customer understands"
    assert all(program in PROGRAMS for program in probe.programs)


def test_its_documentation_names_units_and_sources(area: str) -> None:
    text = documentation(area)
    assert len(text) > 200
    assert re.search(r"/sys/|/proc/|dmidecode|smartctl|journal|psutil", text), "where does it read?"


def test_every_reading_that_it_can_give_is_documented(area: str) -> None:
    """The names of readings are a contract with the rules; the prefix is the area's."""
    assert f"{area}." in "\n".join(source.read_text() for source in sources(area))


def test_it_writes_nothing_and_starts_programs_only_through_the_tools(area: str) -> None:
    for source in sources(area):
        code = "\n".join(line.partition("#")[0] for line in source.read_text().splitlines())
        assert not WRITES.search(code), f"{source.name}: {WRITES.search(code)}"
        assert not STARTS.search(code), f"{source.name}: {STARTS.search(code)}"


def test_it_imports_nothing_heavy(area: str) -> None:
    """``aiodiag unit`` has 0.15 s: what takes long to import is imported where it is used."""
    for source in sources(area):
        for node in ast.parse(source.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {n.partition(".")[0] for n in names} & {"psutil", "pyudev", "pySMART", "cpuinfo", "requests"}


def test_a_machine_with_nothing_in_it_gives_an_essential_gap_and_no_reading(area: str, tmp_path: Path) -> None:
    probe = load(area)
    evidence, gaps = [], []
    for item in probe.gather(Host(str(tmp_path))):
        (gaps if isinstance(item, Gap) else evidence).append(item)
    seen = [*gaps, *probe.interpret([e for e in evidence if isinstance(e, Evidence)])]
    assert not [s for s in seen if isinstance(s, Component)]
    essential = [s for s in seen if isinstance(s, Gap) and s.essential]
    assert essential, "an area that saw nothing must not pass"
    assert all(gap.outcome in {Outcome.UNSUPPORTED, Outcome.ERROR} for gap in essential)


def test_no_evidence_at_all_is_an_essential_gap(area: str) -> None:
    assert [s for s in load(area).interpret([]) if isinstance(s, Gap) and s.essential]


@cache
def kinds(area: str) -> list[str]:
    """The kinds of evidence that it knows: every string constant of its source that looks like one."""
    found = {"tree", "udev", "psutil", "unknown"}
    for source in sources(area):
        for node in ast.walk(ast.parse(source.read_text())):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and re.fullmatch("[a-z-]{3,24}", node.value)
            ):
                found.add(node.value)
    return sorted(found)


JUNK = st.one_of(
    st.binary(max_size=300),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode()),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_evidence_makes_it_raise(area: str, data: st.DataObject) -> None:
    evidence = [
        Evidence(data.draw(st.sampled_from(kinds(area))), data.draw(st.text(max_size=8)), junk, "test", TIME, 0)
        for junk in data.draw(st.lists(JUNK, max_size=4))
    ]
    for seen in load(area).interpret(evidence):
        assert round_trip(seen) == seen
        if isinstance(seen, Reading):
            assert seen.name.startswith(f"{area}.")


def round_trip(seen: Seen) -> Seen:
    return type(seen).from_json(json.loads(json.dumps(seen.to_json(), allow_nan=False)))


def test_it_runs_on_this_machine(area: str) -> None:
    """Whatever this machine has: no exception, and every item of a kind that the journal takes."""
    probe = load(area)
    items = list(probe.gather(Host()))
    for seen in probe.interpret([item for item in items if isinstance(item, Evidence)]):
        assert round_trip(seen) == seen
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", i.file_name) for i in items if isinstance(i, Evidence))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_without_root_it_still_comes_back_and_names_the_remedy(area: str) -> None:
    probe = load(area)
    list(
        probe.interpret([i for i in probe.gather(Host()) if isinstance(i, Evidence)])
    )  # nobody may not read our modules
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            items = list(probe.gather(Host()))
            seen = [*probe.interpret([i for i in items if isinstance(i, Evidence)])]
            gaps = [g for g in [*items, *seen] if isinstance(g, Gap) and g.reason.template == "needs root"]
            status = 0 if all(g.outcome is Outcome.UNSUPPORTED and g.remedy for g in gaps) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
