"""Programs of others that speak tus: tus-js-client and @tus/server, from the npm registry in pinned versions.

They are installed into a cache outside the repository, once for each lock file. They run on Node.js 18 (Debian 12) or
newer.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
_INSTALL_S = 300


def installed() -> Path:
    """The folder with ``client.mjs``, ``server.mjs`` and what they need; skips the test where there is no Node.js."""
    npm = _program("npm")
    sources = [HERE / name for name in ("package.json", "package-lock.json", "client.mjs", "server.mjs")]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aiodiag-tests"
    folder = cache / f"tus-peers-{digest[:16]}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for source in sources:
                shutil.copy(source, folder)
            quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional"]
            subprocess.run([npm, "ci", *quiet], cwd=folder, check=True, timeout=_INSTALL_S, capture_output=True)
            (folder / "whole").touch()
    return folder


def upload(folder: Path, **wanted: Any) -> dict[str, Any]:
    """tus-js-client in a process of its own; see ``client.mjs``."""
    done = subprocess.run(
        [_program("node"), "client.mjs", json.dumps(wanted)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


class TusServer:
    """@tus/server on this machine, its files in ``store``; at the port ``behind`` is who answers all but tus."""

    def __init__(self, folder: Path, store: Path, behind: int) -> None:
        self._process = subprocess.Popen(
            [_program("node"), "server.mjs", str(store), str(behind)], cwd=folder, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait(30)
        if self._process.stdout:
            self._process.stdout.close()


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip("no Node.js here: as root, apt-get install nodejs npm")
    return found


@contextmanager
def serving(folder: Path, store: Path, behind: int) -> Iterator[TusServer]:
    server = TusServer(folder, store, behind)
    try:
        yield server
    finally:
        server.kill()
