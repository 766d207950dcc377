"""``docs/security.md`` names tests that are there, and claims what a look at the code confirms."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security.md"


def named() -> list[tuple[str, str]]:
    """Each test with its file; one that is named by ``::name`` alone is of the file before it."""
    found, file = [], ""
    for line in PAGE.read_text().splitlines():
        for inner in re.findall(r"`([^`]*)`", line):
            path, marked, name = inner.partition("::")
            if path.startswith("tests/") and path.endswith(".py"):
                file = path
            if marked and name.startswith("test_") and (path == file or not path):
                found.append((file, name))
        assert "::test_" not in re.sub(r"`[^`]*`", "", line), f"a test that is not in backquotes: {line}"
    return found


def functions_of(file: str) -> set[str]:
    path = ROOT / file
    return {n.name for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)}


@pytest.mark.parametrize(("file", "name"), named(), ids=lambda part: part)
def test_every_test_that_is_named_exists(file: str, name: str) -> None:
    assert (ROOT / file).is_file(), f"{file} is not there"
    assert name in functions_of(file), f"{file} has no {name}"


def test_they_are_found() -> None:
    """As many as there are marks of one in the page: none is passed over for its spelling."""
    assert len(named()) == PAGE.read_text().count("::test_") > 60


def test_every_rule_has_a_test() -> None:
    for line in PAGE.read_text().partition("## The services")[0].partition("## The agent on the unit")[2].splitlines():
        if line.startswith("| ") and not line.startswith("| rule |"):
            assert "::test_" in line, line


def test_the_agent_listens_to_nobody() -> None:
    """No socket is bound in what runs on the unit; what a program of ours is told to do there is its own list."""
    for top in ("agent", "uploader"):
        for source in (ROOT / top).rglob("*.py"):
            for node in ast.walk(ast.parse(source.read_text())):
                called = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
                assert called not in {"listen", "bind", "create_server", "serve_forever"}, f"{source}: {called}"
