"""A personality: what kind of all-in-one a machine is, as data (``personalities/*.toml``).

``dmi = "corpus:NAME"`` in the table ``identity`` and ``edid = "corpus:NAME"`` in ``panel`` take them from a real
capture (:mod:`tests.bench.corpus`). What the other tables of ``identity`` give comes before it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench import corpus

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
    """The personality of ``personalities/NAME.toml``; raises ``KeyError`` where there is none, and
    :class:`tests.bench.corpus.NotHere` where a capture that it is made of is not there. One with ``like = "OTHER"`` is
    that other one with its own tables as changes.
    """
    if name not in names():
        raise KeyError(name)
    data = tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))
    title, like = data.pop("title"), data.pop("like", None)
    base = load(like) if like else Personality(name, title, {})
    return base.with_changes(with_captures(data))._replace(name=name, title=title)


def with_captures(parts: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """``parts`` with what they take from captures in its place."""
    identity, panel = dict(parts.get("identity", {})), dict(parts.get("panel", {}))
    for table, fields in corpus.dmi(_capture(identity.pop("dmi"))).items() if "dmi" in identity else ():
        identity[table] = {**fields, **identity.get(table, {})}
    if panel.get("edid", "").startswith(_CORPUS):
        panel["edid"] = str(corpus.edid(_capture(panel["edid"])))
    changed = {"identity": identity, "panel": panel}
    return {**parts, **{name: table for name, table in changed.items() if table}}


_CORPUS = "corpus:"


def _capture(given: str) -> str:
    if not given.startswith(_CORPUS):
        raise ValueError(f"{given!r} does not begin with {_CORPUS!r}")
    return given.removeprefix(_CORPUS)


def names() -> list[str]:
    """All personalities."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))
