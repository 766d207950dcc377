"""Where the profiles lie: those that were learnt on this machine, and those that the agent brings along."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent import durable
from agent.model import Evidence, Gap, Outcome, Text
from agent.model.utc import utc_text
from agent.profiles.interpret import KIND
from agent.profiles.profile import SIZE_CAP, SUFFIX, Profile, decode, encode
from uploader.strict_json import Malformed

SHIPPED = Path(__file__).parent
_FILES_MOST = 500  # that are looked at; ours


@dataclass(frozen=True, slots=True)
class Kept:
    """A profile on the shelf. ``profile`` is ``None`` where the file holds none, and ``problem`` then says why."""

    path: Path
    shipped: bool
    profile: Profile | None
    problem: str = ""

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        return self.path.name.removesuffix(SUFFIX)


class Shelf:
    """The profiles below ``state``, the agent's state directory, then those that the agent brings along."""

    def __init__(self, state: Path, shipped: Path = SHIPPED) -> None:
        self._learnt = state / "profiles"
        self._shipped = shipped

    def all(self) -> list[Kept]:
        """Every profile, in the order in which they are looked at."""
        return [
            _kept(folder / name, shipped=folder == self._shipped)
            for folder in (self._learnt, self._shipped)
            for name in _names(folder)
        ]

    def of(self, unit: Mapping[str, str]) -> Kept | None:
        """The profile of the unit's model: one of its variant (SKU) before one of every variant, one that was learnt
        here before one that was brought along. ``None`` when there is none.
        """
        fitting = [kept for kept in self.all() if kept.profile and kept.profile.fits(unit)]
        return next(iter(sorted(fitting, key=lambda kept: not (kept.profile and kept.profile.sku))), None)

    def put(self, profile: Profile) -> Path:
        """Keep a profile, in place of an older one of the same model; it is there whole or not at all. Raises
        ``OSError``.
        """
        self._learnt.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._learnt / f"{profile.name}{SUFFIX}"
        durable.replace(path, encode(profile))
        return path

    def forget(self, kept: Kept) -> None:
        """Take a profile that was learnt here off the shelf. Raises ``OSError``."""
        assert not kept.shipped
        kept.path.unlink()


def gather(shelf: Shelf, unit: Mapping[str, str]) -> Iterator[Evidence | Gap]:
    """The profile of the unit's model as evidence; a gap where there is none. A file on the shelf that is no profile
    takes no other away, and is a gap too.
    """
    for kept in shelf.all():
        if kept.profile is None:
            reason = Text("{file} is not a profile: {error}", {"file": kept.path.name, "error": kept.problem})
            yield Gap("", Outcome.ERROR, reason)
    found = shelf.of(unit)
    if found is None or found.profile is None:
        yield Gap("", Outcome.UNSUPPORTED, Text("no profile of this model is known"))
        return
    # Below the state directory: where that is may name the person.
    yield Evidence(KIND, "", encode(found.profile), f"profiles/{found.path.name}", utc_text(datetime.now(UTC)))


def _names(folder: Path) -> list[str]:
    try:
        names = os.listdir(folder)
    except OSError:  # none yet, or not ours to see
        return []
    return sorted(name for name in names if name.endswith(SUFFIX) and not name.startswith("."))[:_FILES_MOST]


def _kept(path: Path, *, shipped: bool) -> Kept:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            return Kept(path, shipped, decode(file.read(SIZE_CAP + 1)))
    except Malformed as e:
        return Kept(path, shipped, None, str(e)[:300])
    except OSError as e:
        return Kept(path, shipped, None, e.strerror or str(e))
