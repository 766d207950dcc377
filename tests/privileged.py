"""The privileged helper as root starts it, and a room of its own to try it in: mounts that only it sees."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HELPER = (sys.executable, "-I", str(ROOT / "packaging" / "helper.py"))
ENVIRONMENT = {"PKEXEC_UID": "1000"}


def helper(*arguments: str, **more: object) -> subprocess.CompletedProcess[bytes]:
    """What pkexec does once polkit has said yes, but for the cleaning of the environment."""
    options = {"env": ENVIRONMENT, "stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 60, **more}
    return subprocess.run([*HELPER, *arguments], check=False, **options)  # type: ignore[call-overload]


def require_rooms() -> None:
    """Skips the test where root, or mounts of one's own, are not to be had."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if subprocess.run(["/usr/bin/unshare", "-m", "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no mounts of its own are allowed here")


def in_room(script: str) -> subprocess.Popen[bytes]:
    """Run a shell script that may mount what it likes over anything: it is gone with it."""
    command = ["/usr/bin/unshare", "-m", "--propagation", "private", "/bin/sh", "-ec", script]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def spoken(*command: str) -> str:
    """A command as a shell takes it."""
    return shlex.join(command)
