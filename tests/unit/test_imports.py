"""Imports go one way: the table of rooms in ``docs/architecture.md``, held to."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Which rooms a room may import from, besides itself.
ALLOWED = {
    "agent/durable": set(),
    "agent/model": set(),
    "agent/tools": {"agent/model"},
    "agent/journal": {"agent/model", "agent/durable"},
    "agent/catalogue": {"agent/model"},
    "agent/plans": {"agent/model"},
    "agent/texts": {"agent/model"},
    "agent/replay": {"agent/model"},
    "agent/redaction": {"agent/model", "agent/host"},
    "agent/watch": {"agent/model", "agent/tools", "agent/host", "agent/probes"},
    "agent/profiles": {"agent/model", "agent/durable", "uploader"},
    "agent/history": {"agent/model", "agent/journal", "uploader"},
    "agent/compare": {"agent/model", "agent/catalogue", "agent/rules", "agent/history"},
    "agent/host": {"agent/model", "agent/tools"},
    "agent/probes": {"agent/model", "agent/tools", "agent/host"},
    "agent/privileged": {"agent/model", "agent/tools", "agent/host", "agent/probes"},
    "agent/tests_hw": {"agent/model", "agent/tools", "agent/host"},
    "agent/rules": {"agent/model", "agent/catalogue"},
    "agent/runner": {
        "agent/model",
        "agent/tools",
        "agent/journal",
        "agent/catalogue",
        "agent/plans",
        "agent/texts",
        "agent/watch",
        "agent/host",
        "agent/probes",
        "agent/tests_hw",
        "agent/rules",
        "agent/profiles",
        "agent/history",
        "agent/replay",
        "agent/compare",
    },
    "agent/diagnose": {
        "agent/model",
        "agent/profiles",
        "agent/history",
        "agent/watch",
        "agent/journal",
        "agent/probes",
        "agent/tests_hw",
        "agent/runner",
        "uploader",
    },
    "agent/cli": {
        "agent/model",
        "agent/durable",
        "agent/tools",
        "agent/journal",
        "agent/catalogue",
        "agent/plans",
        "agent/texts",
        "agent/host",
        "agent/watch",
        "agent/probes",
        "agent/runner",
        "agent/diagnose",
        "agent/profiles",
        "agent/compare",
        "agent/replay",
        "agent/redaction",
        "agent/privileged",
        "uploader",
    },
    "uploader": {"agent/model", "agent/durable", "agent/journal", "agent/redaction", "agent/tools"},
    "server_stub": {"agent/model", "agent/durable", "agent/catalogue", "agent/texts", "uploader"},
}
# Of the uploader, the receiver may know the bundle's format and its verification, nothing else.
# Of it, these rooms may know how JSON from strangers is read, nothing else.
STRICT_JSON_ONLY = {"agent/profiles", "agent/history"}
OF_UPLOADER = ("uploader.bundle", "uploader.dsse", "uploader.keys", "uploader.strict_json")


def room(module: str) -> str | None:
    parts = module.split(".")
    if parts[0] in {"uploader", "server_stub"}:
        return parts[0]
    if parts[0] == "agent" and len(parts) > 1:
        return f"agent/{parts[1]}"
    return None


def imported(source: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


SOURCES = sorted(s for top in ("agent", "uploader", "server_stub") for s in (ROOT / top).rglob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=[str(s.relative_to(ROOT)) for s in SOURCES])
def test_imports_go_one_way(source: Path) -> None:
    here = room(".".join(source.relative_to(ROOT).with_suffix("").parts))
    for module in imported(source):
        there = room(module)
        if there is None or here is None or there in {here, "agent/__version__"}:
            continue
        assert there in ALLOWED[here], f"{here} must not import {module}"
        if here in STRICT_JSON_ONLY and there == "uploader":
            assert module.startswith("uploader.strict_json"), f"{here} must not import {module}"
        if here == "server_stub" and there == "uploader":
            assert module.startswith(OF_UPLOADER), f"the receiver must not import {module}"


def test_every_room_is_known() -> None:
    rooms = {f"agent/{d.name}" for d in (ROOT / "agent").iterdir() if (d / "__init__.py").exists()}
    assert rooms <= set(ALLOWED)
