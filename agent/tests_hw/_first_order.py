"""How a unit warms up and cools down: the first-order model of its temperature, fitted to a soak.

    T(t) = T_rest + R * s(t),    ds/dt = (u(t) - s(t)) / tau,    s(0) = u(0)

``u`` is what heats: watts where the processor tells its power, else the load (0 to 1); ``R`` is then the rise per watt,
or that at full load. Warming and cooling are one fit, and a load that is not constant does no harm. Given ``tau`` the
model is linear in T_rest and R, so only ``tau`` is searched (variable projection, Golub and Pereyra 1973).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

SHORTEST_TAU_S, LONGEST_TAU_S = 1.0, 3600.0
"""A bare sensor on a die answers within a second, a closed housing within an hour; ours."""
_GRID = 30
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
_STEPS = 24
_STRETCHES = 12
"""Parts of a soak whose errors are taken as independent of each other; ours."""
_SLIGHTLY = 1e-4
LEAST_SAMPLES = 3 * _STRETCHES
"""Fewer do not tell a model of three numbers from noise; ours."""


class Sample(NamedTuple):
    """``time_s`` since the soak began (rising), ``drive`` (watts, or load 0 to 1) from then on, ``celsius``."""

    time_s: float
    drive: float
    celsius: float


class FirstOrder(NamedTuple):
    """The fitted model. ``rise`` is K per unit of drive, with its standard error ``rise_error``; ``rest`` the
    temperature (°C) without drive, ``tau_s`` the time constant, ``residual`` what is left (K, root mean square).
    """

    rise: float
    rise_error: float
    rest: float
    tau_s: float
    residual: float

    def plateau(self, drive: float) -> float:
        """Where the temperature settles (°C) under a constant drive."""
        return self.rest + self.rise * drive


class _Line(NamedTuple):
    rest: float
    rise: float
    squares: float
    left: list[float]


def fit(samples: Sequence[Sample]) -> FirstOrder | None:
    """The model that explains a soak best, or ``None`` where there is none: too few samples, or a drive that never
    changed, so that rise and rest cannot be told apart.
    """
    if len(samples) < LEAST_SAMPLES or len({sample.drive for sample in samples}) < 2:
        return None
    span = math.log(LONGEST_TAU_S / SHORTEST_TAU_S)
    grid = [SHORTEST_TAU_S * math.exp(span * k / _GRID) for k in range(_GRID + 1)]
    errors = [_line(samples, tau).squares for tau in grid]
    best = min(range(len(grid)), key=errors.__getitem__)
    tau = _golden(samples, grid[max(0, best - 1)], grid[min(_GRID, best + 1)])
    line = _line(samples, tau)
    error = _error_of_rise(samples, tau, line.left)
    return FirstOrder(line.rise, error, line.rest, tau, math.sqrt(line.squares / len(samples))) if error else None


def response(samples: Sequence[Sample], tau: float) -> list[float]:
    """``s(t)`` at each sample: the drive as the unit's heat capacity smooths it; exact for a drive that stays the same
    between samples.
    """
    state = samples[0].drive
    smoothed = [state]
    for earlier, later in pairwise(samples):
        state += (earlier.drive - state) * -math.expm1(-(later.time_s - earlier.time_s) / tau)
        smoothed.append(state)
    return smoothed


def _line(samples: Sequence[Sample], tau: float) -> _Line:
    """The least squares of the temperature over the smoothed drive."""
    smoothed, n = response(samples, tau), len(samples)
    mean_s, mean_t = math.fsum(smoothed) / n, math.fsum(s.celsius for s in samples) / n
    spread = math.fsum((s - mean_s) ** 2 for s in smoothed)
    together = math.fsum((s - mean_s) * (x.celsius - mean_t) for s, x in zip(smoothed, samples, strict=True))
    rise = together / spread if spread else 0.0
    rest = mean_t - rise * mean_s
    left = [x.celsius - rest - rise * s for s, x in zip(smoothed, samples, strict=True)]
    return _Line(rest, rise, math.fsum(e * e for e in left), left)


def _golden(samples: Sequence[Sample], low: float, high: float) -> float:
    """The time constant between ``low`` and ``high`` that explains most (golden section search over its logarithm)."""
    a, b = math.log(low), math.log(high)
    c, d = b - _GOLDEN * (b - a), a + _GOLDEN * (b - a)
    error_c, error_d = _line(samples, math.exp(c)).squares, _line(samples, math.exp(d)).squares
    for _ in range(_STEPS):
        if error_c < error_d:
            b, d, error_d = d, c, error_c
            c = b - _GOLDEN * (b - a)
            error_c = _line(samples, math.exp(c)).squares
        else:
            a, c, error_c = c, d, error_d
            d = a + _GOLDEN * (b - a)
            error_d = _line(samples, math.exp(d)).squares
    return math.exp((a + b) / 2.0)


def _error_of_rise(samples: Sequence[Sample], tau: float, left: Sequence[float]) -> float:
    """The standard error of the rise; 0 where the samples do not determine it.

    What is left of the smoothed drive when rest and time constant have had their share (Frisch and Waugh 1933) carries
    the rise; its products with the residuals are summed over stretches of the soak, because rooms that get warmer and
    sensors that show whole degrees make neighbours err alike (cluster-robust, Liang and Zeger 1986).
    """
    smoothed = response(samples, tau)
    longer = response(samples, tau * (1.0 + _SLIGHTLY))
    alone = _without_mean(smoothed)
    of_tau = _without_mean([b - a for a, b in zip(smoothed, longer, strict=True)])
    shared = math.fsum(d * d for d in of_tau)
    if shared:
        part = math.fsum(a * d for a, d in zip(alone, of_tau, strict=True)) / shared
        alone = [a - part * d for a, d in zip(alone, of_tau, strict=True)]
    spread = math.fsum(a * a for a in alone)
    if not spread:
        return 0.0
    products = [a * e for a, e in zip(alone, left, strict=True)]
    size = len(products) / _STRETCHES
    sums = [math.fsum(products[round(k * size) : round((k + 1) * size)]) for k in range(_STRETCHES)]
    few = _STRETCHES / (_STRETCHES - 3.0)
    return math.sqrt(few * math.fsum(total * total for total in sums)) / spread


def _without_mean(values: Sequence[float]) -> list[float]:
    mean = math.fsum(values) / len(values)
    return [value - mean for value in values]
