"""What changed in a unit between two runs: parts, firmware, counters, findings. Pure."""

from agent.compare.comparison import Comparison, DifferentUnits, compare

__all__ = ["Comparison", "DifferentUnits", "compare"]
