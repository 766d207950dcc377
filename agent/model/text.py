"""A sentence for a person, kept untranslated until somebody reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Formatter
from typing import Any


@dataclass(frozen=True, slots=True)
class Text:
    """An English template with ``{named}`` fields, and the values for them.

    The template is the gettext message id (``Text`` is an extraction keyword), so a record written on a Spanish
    machine can be read in Chinese at the receiver. ``str()`` gives the English sentence.
    """

    template: str
    values: Mapping[str, str | int | float] = field(default_factory=dict)

    def __str__(self) -> str:
        return fill(self.template, self.values)

    def to_json(self) -> dict[str, Any]:
        """``{"text": template, "values": {...}}``."""
        return {"text": self.template, "values": dict(self.values)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Text:
        """Inverse of :meth:`to_json`; raises ``KeyError`` when ``text`` is missing."""
        return cls(str(data["text"]), dict(data.get("values", {})))


def fill(template: str, values: Mapping[str, str | int | float]) -> str:
    """Put ``values`` into the ``{named}`` fields of ``template``.

    A template that does not fit its values (a translation with a typing error) must not take the sentence away from
    the person, so it is then given back as it is. So is one that no text of ours looks like (attribute access, a width
    of a gigabyte, a thousand fields): it comes from a journal that somebody tampered with.
    """
    try:
        fields = [field for field in _FORMATTER.parse(template) if field[1] is not None]
        if len(fields) > _FIELDS_MOST or not all(_FIELD.fullmatch(f"{name}:{spec}") for _, name, spec, _ in fields):
            return template
        return template.format_map(dict(values))
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):
        return template


_FIELDS_MOST = 20
_FIELD = re.compile(r"[A-Za-z_]\w*:,?(\.\d)?[a-zA-Z%]?")
_FORMATTER = Formatter()
