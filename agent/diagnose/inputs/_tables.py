"""What the firmware's tables are about."""

from __future__ import annotations

from collections.abc import Iterable

from agent.probes._structure import Structure

_AREAS = {"unit": {1, 2, 3}, "memory": {17}, "firmware": {0}}
"""Area -> types of SMBIOS structures that its probe reads."""


def areas_of(structures: Iterable[Structure]) -> list[str]:
    """The areas that there are structures of; that of the unit where there is nothing else, as whose they are is what
    tables are for.
    """
    types = {structure.type for structure in structures if structure.fields}
    return [area for area, wanted in _AREAS.items() if wanted & types] or ["unit"]
