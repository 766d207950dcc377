"""Programs that the tests write, and the watch over what they leave."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.tools import PROGRAMS, Program

NAME = "misbehaving"


class Workshop:
    """Writes programs, lists them under ``NAME``, and finds their processes: all of them work in one directory."""

    def __init__(self, folder: Path, listing: Callable[[Program], None]) -> None:
        self.folder = folder
        self._list = listing

    def sh(self, text: str) -> None:
        """A shell script."""
        self.script(f"#!/bin/sh\ncd '{self.folder}' || exit 99\n{text}\n")

    def python(self, text: str, memory_cap: int | None = None) -> None:
        """A Python script with ``os``, ``signal``, ``sys`` and ``time`` at hand."""
        head = f"import os, signal, sys, time\nos.chdir({str(self.folder)!r})\n"
        self.script(f"#!{sys.executable} -IS\n{head}{text}\n", memory_cap=memory_cap)

    def script(self, text: str, *, mode: int = 0o755, memory_cap: int | None = None) -> None:
        """A file with exactly that text."""
        path = self.folder / NAME
        path.write_text(text)
        path.chmod(mode)
        self.listed(str(path), memory_cap=memory_cap)

    def listed(self, *paths: str, memory_cap: int | None = None) -> None:
        """Let ``NAME`` be at these paths."""
        self._list(Program(paths, "a-package", "misbehaves", memory_cap))

    def processes(self) -> list[int]:
        """Living processes whose working directory is ours; a zombie has none."""
        found = []
        for name in os.listdir("/proc"):
            try:
                if name.isdecimal() and os.readlink(f"/proc/{name}/cwd") == str(self.folder):
                    found.append(int(name))
            except OSError:
                continue
        return found

    def wait_for_processes(self, some: bool, within_s: float = 5.0) -> list[int]:
        """Poll until there are (or are not) processes of ours; gives what is there then."""
        until = time.monotonic() + within_s
        while bool(found := self.processes()) != some and time.monotonic() < until:
            time.sleep(0.01)
        return found


def children() -> set[int]:
    """The children of this process, zombies too."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # a thread of a test that is just ending
            found.update(map(int, (task / "children").read_text().split()))
    return found


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    """A workshop; after the test no process of its program is left, no child and no descriptor."""
    gc.collect()  # what earlier tests have left to it holds descriptors, which must not go meanwhile
    before, descriptors = children(), set(os.listdir("/proc/self/fd"))
    shop = Workshop(tmp_path.resolve(), lambda program: monkeypatch.setitem(PROGRAMS, NAME, program))
    yield shop
    assert shop.processes() == []
    assert children() == before
    assert set(os.listdir("/proc/self/fd")) == descriptors
