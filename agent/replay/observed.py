"""How often a fault was seen, and in how much."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Per(StrEnum):
    """What exposure is counted in. Its rates are failures per hour, or the chance of a failure in one cycle."""

    HOUR = "hour"
    CYCLE = "cycle"


@dataclass(frozen=True, slots=True)
class Observed:
    """``failures`` in an ``exposure`` under one recipe, of which only what met the recipe's conditions counts.

    ``exposure`` is in hours (> 0) or whole cycles (at least one, and as many as failures); of a cycle that failed it
    counts as one. ``at_failure`` says that whoever counted stopped at the last failure, and not at a time that was set
    before.
    """

    failures: int
    exposure: float
    per: Per
    at_failure: bool

    def __post_init__(self) -> None:
        if self.failures < 0:
            raise ValueError(f"{self.failures} failures")
        if not 0.0 < self.exposure < float("inf"):
            raise ValueError(f"an exposure of {self.exposure} {self.per}s")
        if self.at_failure and not self.failures:
            raise ValueError("stopped at a failure, and none was seen")
        if self.per is Per.CYCLE and not (self.exposure == int(self.exposure) and self.failures <= self.exposure):
            raise ValueError(f"{self.failures} failures in {self.exposure} cycles")

    @property
    def rate(self) -> float:
        """The likeliest rate: failures per hour, or per cycle (0 to 1)."""
        return self.failures / self.exposure
