"""Fault codes by their digits, as pictures and telephones bring them."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from agent.catalogue import Entry, entries


@dataclass(frozen=True, slots=True)
class Named:
    """A fault: its code, and its title in the reader's language; of one that this receiver's catalogue does not have
    (a newer agent) the digits alone, and no title.
    """

    code: str
    title: str


def named(digits: int, lang: str) -> Named:
    """The fault with these four digits, of which the last one is the check digit."""
    entry = _by_digits().get(digits)
    return Named(entry.code, entry.text("title", lang)) if entry else Named(f"{digits:04d}", "")


@functools.cache
def _by_digits() -> dict[int, Entry]:
    return {int(code.rpartition("-")[2]): entry for code, entry in entries().items()}
