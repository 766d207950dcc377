"""What is still covered, from the day a unit was shipped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

YEARS = {"chassis": 3, "lcd": 2, "motherboard": 1}
"""Warranty class of the fault catalogue -> years from the day of shipping. Source: Hibertek's warranty terms."""


@dataclass(frozen=True, slots=True)
class Cover:
    """``until`` is the last day, ``None`` where no warranty runs (a spare part) or the day of shipping is unknown.
    ``covered`` is ``None`` where that cannot be said.
    """

    warranty: str
    until: date | None
    covered: bool | None


def cover(warranty: str, shipped: date | None, today: date) -> Cover:
    """What the warranty class ``warranty`` means for a unit shipped on ``shipped``."""
    years = YEARS.get(warranty)
    if years is None or shipped is None:
        return Cover(warranty, None, None)
    until = _years_later(shipped, years)
    return Cover(warranty, until, today <= until)


def _years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)
