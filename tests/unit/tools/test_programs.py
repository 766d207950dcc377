"""Every program that may be started is named fully."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest

from agent.tools import PROGRAMS

AGENT = Path(__file__).resolve().parents[3] / "agent"


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_entry(name):
    program = PROGRAMS[name]
    assert program.paths
    for path in program.paths:
        assert os.path.isabs(path)
        assert path == os.path.normpath(path)
        assert os.path.basename(path) == name
        assert path.startswith(("/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/"))  # where root alone writes
    assert re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", program.package)  # Debian policy 5.6.1
    assert program.purpose
    assert program.memory_cap is None or program.memory_cap >= 64 << 20


def test_nobody_else_starts_programs():
    """agent/tools is the one place."""
    offenders = [
        f"{file.relative_to(AGENT)}:{node.lineno}: {ast.unparse(node)}"
        for file in AGENT.rglob("*.py")
        if file.parent != AGENT / "tools"
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if _starts_programs(node)
    ]
    assert offenders == []


def _starts_programs(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name in {"subprocess", "pty"} for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.module in {"subprocess", "pty"}
    return (
        isinstance(node, ast.Attribute)
        and re.fullmatch(r"os\.(system|popen|(posix_)?spawn\w*|exec\w*)", ast.unparse(node)) is not None
    )
