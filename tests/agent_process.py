"""Running the agent as its user does: a process, its output, its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
AGENT = str(Path(sys.executable).with_name("aiodiag"))
"""The installed command. With ``python -m`` a process that was stopped may end by SIGINT although it returned its exit
status: where the KeyboardInterrupt went through code that was compiled from a string.
"""


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


def environment(state: Path, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME"}}
    return {**kept, "AIODIAG_STATE": str(state), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", **more}


def aiodiag(state: Path, *args: str, **more: str) -> Ran:
    done = subprocess.run(
        [AGENT, *args],
        env=environment(state, **more),
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
        stdin=subprocess.DEVNULL,
    )
    return Ran(done.returncode, done.stdout, done.stderr)
