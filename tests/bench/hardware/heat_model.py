"""How hot an all-in-one gets: one heat capacity, one way out, a fan that widens it. Pure.

The numbers are those of a small desktop processor under a heat sink with a fan, but for the capacity: a heat sink of
80 J/K takes minutes to warm up, and this one a hundredth of that, so that a short test is a long one.
"""

from __future__ import annotations

from dataclasses import dataclass

IDLE_W, FULL_W = 6.0, 30.0
"""Power at no load and at full load."""
STILL_W_PER_K, BLOWN_W_PER_K = 0.2, 0.7
"""What the heat sink gives off by itself, and what the fan at full speed adds."""
CAPACITY_J_PER_K = 0.8
FULL_RPM = 2400.0
PROTECTION_C, LAST_C = 99.0, 104.0
"""Where the processor begins to slow itself down, and where nothing but its idle power is left: it protects itself
before the board switches off (105 °C), as processors do (PROCHOT).
"""


@dataclass
class HeatModel:
    """``temperature`` in °C is now; ``ambient`` in °C is the room's."""

    ambient: float
    temperature: float

    def step(self, seconds: float, load: float, rpm: float, blocked: float = 1.0) -> float:
        """Let so many seconds pass and give the temperature then. ``load`` is 0 to 1, of all processors together;
        ``blocked`` is how much harder the heat sink is to cool than a clean one: 1 or more.
        """
        left = min(max((LAST_C - self.temperature) / (LAST_C - PROTECTION_C), 0.0), 1.0)
        power = IDLE_W + (FULL_W - IDLE_W) * min(max(load, 0.0), 1.0) * left
        conductance = (STILL_W_PER_K + BLOWN_W_PER_K * min(rpm / FULL_RPM, 1.0)) / blocked
        flow = power - conductance * (self.temperature - self.ambient)
        self.temperature += flow * seconds / CAPACITY_J_PER_K
        return self.temperature
