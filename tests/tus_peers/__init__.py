"""Programs of others that speak tus: tus-js-client and @tus/server, from the npm registry in pinned versions."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import npm

HERE = Path(__file__).parent


def installed() -> Path:
    """The folder with ``client.mjs``, ``server.mjs`` and what they need; skips the test where there is no Node.js."""
    return npm.installed("tus-peers", HERE, "client.mjs", "server.mjs")


def upload(folder: Path, **wanted: Any) -> dict[str, Any]:
    """tus-js-client in a process of its own; see ``client.mjs``."""
    done = subprocess.run(
        [npm.program("node"), "client.mjs", json.dumps(wanted)],
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
            [npm.program("node"), "server.mjs", str(store), str(behind)], cwd=folder, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait(30)
        if self._process.stdout:
            self._process.stdout.close()


@contextmanager
def serving(folder: Path, store: Path, behind: int) -> Iterator[TusServer]:
    server = TusServer(folder, store, behind)
    try:
        yield server
    finally:
        server.kill()
