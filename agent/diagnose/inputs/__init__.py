"""What can be diagnosed: one module per kind of input, found by its presence. A leading underscore is no kind."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from pathlib import Path

from agent.diagnose.capture import Capture
from agent.diagnose.files import InputRefused, read_head
from agent.diagnose.inputs._input import Input
from agent.model import Text

HEAD = 64 * 1024
"""Bytes at the beginning of a file by which its kind is told; ours."""


@functools.cache
def kinds() -> tuple[str, ...]:
    """The names of all kinds, sorted, as ``--kind`` takes them; imports none of them."""
    names = [m.name.replace("_", "-") for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")]
    return tuple(sorted(names))


@functools.cache
def load(kind: str) -> Input:
    """The kind of that name; raises ``KeyError`` when there is none."""
    if kind not in kinds():
        raise KeyError(kind)
    found = importlib.import_module(f"{__name__}.{kind.replace('-', '_')}").INPUT
    assert isinstance(found, Input)
    return found


def read(path: Path, kind: str | None = None) -> tuple[str, Capture]:
    """The kind of a file, told by its content unless it is named, and the evidence in it.

    Raises :class:`InputRefused`.
    """
    kind = kind or _kind_of(path)
    return kind, load(kind).read(path)


def _kind_of(path: Path) -> str:
    head = read_head(path, HEAD)
    for kind in sorted(kinds(), key=lambda kind: not load(kind).marked):
        if load(kind).recognises(head):
            return kind
    known = ", ".join(kinds())
    raise InputRefused(Text("what this file is cannot be told; --kind says it: {known}", {"known": known}))
