"""Runs ``aiodiag diagnose --json`` as a person would, over all files in one call."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path

from agent.cli.main import main
from tests.corpus.evaluation import Documents


def diagnosed(files: Sequence[Path]) -> Documents:
    """What is said of each file, by its path."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        main(["diagnose", "--json", *map(str, files)])
    return {document["input"]: document for document in json.loads(out.getvalue())}
