"""One structure of the firmware's tables, whatever it was read from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Structure(NamedTuple):
    """One SMBIOS structure.

    ``type`` is its number (16 physical memory array, 17 memory device, ...), ``title`` dmidecode's name for it. A field
    with lines below it (``Characteristics``) is the list of these lines, every other one the text as printed, without
    surrounding white space: placeholders such as ``Not Specified`` stay.
    """

    handle: int
    type: int
    title: str
    fields: Mapping[str, str | list[str]]

    def text(self, name: str) -> str:
        """The field's text; ``""`` when the structure has no such field or it is a list."""
        value = self.fields.get(name, "")
        return value if isinstance(value, str) else ""

    def lines(self, name: str) -> list[str]:
        """The field's lines; empty when the structure has no such field or it is a text."""
        value = self.fields.get(name, [])
        return value if isinstance(value, list) else []
