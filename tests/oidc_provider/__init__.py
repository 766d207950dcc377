"""An identity provider of others, oidc-provider from the npm registry in a pinned version, for tests of the sign-in.

It is installed into a cache outside the repository, once for each lock file. It needs Node.js 18 (Debian 12).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
_INSTALL_S = 300


def installed() -> Path:
    """The folder with ``provider.mjs`` and what it needs; skips the test where there is no Node.js."""
    npm = _program("npm")
    sources = [HERE / name for name in ("package.json", "package-lock.json", "provider.mjs")]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aiodiag-tests"
    folder = cache / f"oidc-provider-{digest[:16]}"
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


@contextmanager
def serving(client: str, secret: str, redirect_uri: str, roles: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A provider on this machine; gives its issuer."""
    process = subprocess.Popen(
        [_program("node"), "provider.mjs", client, secret, redirect_uri, json.dumps(roles)],
        cwd=installed(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait(30)
        if process.stdout:
            process.stdout.close()


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip("no Node.js here: as root, apt-get install nodejs npm")
    return found
