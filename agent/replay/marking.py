"""What the markers of a recipe say of a repair, from the rounds that were played after it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.model.marker import Marker, MarkerKey
from agent.replay.marker import Comparison, Measured, Population, Restored, compare
from agent.replay.round import Round

Sound = Mapping[MarkerKey, Population]
"""The markers of sound units of the model, those of which enough are known."""


def sound_to_json(sound: Sound) -> list[dict[str, Any]]:
    """Strict JSON."""
    return [
        {**key._asdict(), "mean": known.mean, "deviation": known.deviation, "units": known.units}
        for key, known in sound.items()
    ]


def sound_from_json(data: Iterable[Mapping[str, Any]]) -> Sound:
    """Inverse of :func:`sound_to_json`; raises ``KeyError``, ``TypeError`` or ``ValueError`` when it is none."""
    return {
        MarkerKey(str(one["reading"]), str(one["of"]), str(one["kind"])): Population(
            float(one["mean"]), float(one["deviation"]), int(one["units"])
        )
        for one in data
    }


@dataclass(frozen=True, slots=True)
class Marking:
    """One marker: as it was in the failing unit, as it was measured first after the repair (``None``: it was not), and
    what sound units show (``None``: too few are known).
    """

    before: Marker
    after: Marker | None
    sound: Population | None
    compared: Comparison | None

    @property
    def restored(self) -> Restored:
        """What it says of the repair."""
        return self.compared.restored if self.compared else Restored.UNKNOWN

    def to_json(self) -> dict[str, Any]:
        """Strict JSON; ``null`` where something is not known."""
        sound, compared = self.sound, self.compared
        known = sound and {
            "mean": sound.mean,
            "deviation": sound.deviation,
            "units": sound.units,
            "low": sound.mean - sound.reach(),
            "high": sound.mean + sound.reach(),
        }
        return {
            **self.before.key._asdict(),
            "unit": self.before.unit,
            "exercise": self.before.exercise,
            "before": {"value": self.before.value, "error": self.before.error},
            "after": self.after and {"value": self.after.value, "error": self.after.error},
            "sound": known,
            "restored": self.restored.value,
            "was_outside": tells(self.before, sound) if sound else None,
            "is_inside": compared.is_inside if compared else None,
            "chance_unchanged": compared.chance_unchanged if compared else None,
        }


def tells(before: Marker, sound: Population | None) -> bool:
    """Whether a marker can say anything of a repair: the failing unit did not look sound by it."""
    return sound is not None and not sound.holds(before.value)


def marked(before: Iterable[Marker], rounds: Iterable[Round], sound: Sound, alpha: float) -> list[Marking]:
    """Each marker with the first measurement of it since, made by the same exercise: one look, of level ``alpha``."""
    first: dict[tuple[MarkerKey, str], Marker] = {}
    for played in rounds:
        for marker in played.markers:
            first.setdefault((marker.key, played.exercise), marker)
    return [
        _marking(marker, first.get((marker.key, marker.exercise)), sound.get(marker.key), alpha) for marker in before
    ]


def _marking(before: Marker, after: Marker | None, sound: Population | None, alpha: float) -> Marking:
    if after is None or sound is None:
        return Marking(before, after, sound, None)
    return Marking(before, after, sound, compare(_measured(before, sound), _measured(after, sound), sound, alpha))


def _measured(marker: Marker, sound: Population) -> Measured:
    """Of a measurement that does not tell its error: how far sound units lie apart, which has that error in it."""
    return Measured(marker.value, sound.deviation if marker.error is None else marker.error)
