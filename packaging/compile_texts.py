"""Build hook: compiles the translations (``*.po``) that the wheel needs as ``*.mo``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompileTexts(BuildHookInterface[Any]):
    """Writes each ``aiodiag.mo`` beside its ``aiodiag.po``; a translation that does not parse does not build."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Compile all catalogues below ``agent/texts/locale``."""
        for source in sorted(Path(self.root, "agent", "texts", "locale").glob("*/LC_MESSAGES/*.po")):
            compile_po(source)


def compile_po(source: Path) -> None:
    """Write ``source`` as ``.mo``; raises ``ValueError`` when it does not parse.

    The language is its folder's name: it decides how many plural forms there are (Chinese has one).
    """
    with source.open("rb") as po:
        catalogue = read_po(po, locale=source.parent.parent.name, abort_invalid=True)
    with source.with_suffix(".mo").open("wb") as mo:
        write_mo(mo, catalogue)
