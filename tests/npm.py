"""Programs of others from the npm registry, in pinned versions. They need Node.js 18 (Debian 12) or newer."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

_INSTALL_S = 300


def installed(name: str, here: Path, *scripts: str) -> Path:
    """A folder with ``scripts`` of ``here``, and what its package.json and package-lock.json name: in a cache outside
    the repository, filled once for each content. Skips the test where there is no Node.js.
    """
    npm = program("npm")
    sources = [here / file for file in ("package.json", "package-lock.json", *scripts)]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aiodiag-tests"
    folder = cache / f"{name}-{digest[:16]}"
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


def program(name: str) -> str:
    """Where ``node`` or ``npm`` is; skips the test where it is not."""
    found = shutil.which(name)
    if found is None:
        pytest.skip("no Node.js here: as root, apt-get install nodejs npm")
    return found
