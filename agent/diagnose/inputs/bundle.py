"""A sealed run. What it concluded does not count, its raw evidence does."""

from __future__ import annotations

from pathlib import Path

from agent.diagnose.capture import Capture
from agent.diagnose.inputs._input import Input

ZIP = b"PK\x03\x04"
"""Local file header: APPNOTE.TXT 6.3.10, section 4.3.7."""


class BundleInput(Input):
    """See the module."""

    name = "bundle"

    def recognises(self, head: bytes) -> bool:
        """A ZIP; that it is one of ours is for its verification to say."""
        return head.startswith(ZIP)

    def read(self, path: Path) -> Capture:
        """Only what is whole and signed."""
        from agent.diagnose.of_run import of_bundle  # here: to tell what a file is, each kind is loaded

        return of_bundle(path)


INPUT = BundleInput()
