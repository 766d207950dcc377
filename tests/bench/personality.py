"""A personality: what kind of all-in-one a machine is, as data (``personalities/*.toml``)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).resolve().parent / "personalities"


class Personality(NamedTuple):
    """``parts`` has a table for each kind of hardware; one that is missing there has no table, but the default."""

    name: str
    title: str
    parts: dict[str, dict[str, Any]]

    def with_changes(self, changes: Mapping[str, Mapping[str, Any]]) -> Personality:
        """The same with some tables changed, key by key, two levels deep: another serial number, no TPM."""
        parts = {name: dict(table) for name, table in self.parts.items()}
        for name, table in changes.items():
            known = parts.setdefault(name, {})
            for key, value in table.items():
                known[key] = {**known.get(key, {}), **value} if isinstance(value, dict) else value
        return self._replace(parts=parts)


def load(name: str) -> Personality:
    """The personality of ``personalities/NAME.toml``; raises ``KeyError`` where there is none. One with ``like`` is
    that other one, with its tables changed.
    """
    if name not in names():
        raise KeyError(name)
    data = tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))
    title, like = data.pop("title"), data.pop("like", None)
    base = load(like) if like else Personality(name, title, {})
    return base.with_changes(data)._replace(name=name, title=title)


def names() -> list[str]:
    """All personalities."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))
