"""An identity provider of others, oidc-provider from the npm registry in a pinned version, for tests of the sign-in."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests import npm

HERE = Path(__file__).parent


def installed() -> Path:
    """The folder with ``provider.mjs`` and what it needs; skips the test where there is no Node.js."""
    return npm.installed("oidc-provider", HERE, "provider.mjs")


@contextmanager
def serving(client: str, secret: str, redirect_uri: str, roles: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A provider on this machine; gives its issuer."""
    process = subprocess.Popen(
        [npm.program("node"), "provider.mjs", client, secret, redirect_uri, json.dumps(roles)],
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
