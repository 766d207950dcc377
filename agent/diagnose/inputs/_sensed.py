"""What the output of ``sensors`` is about."""

from __future__ import annotations

from agent.probes._sensors import Printed
from agent.probes.thermals import CPU_CHIPS

SIZE_CAP = 1024 * 1024
"""Bytes; ours, a hundred times what a board full of sensors gives."""


def areas_of(printed: Printed) -> list[str]:
    """The areas that can be judged by it: the processor's temperatures, and voltages and fans; the board where there is
    neither.
    """
    inputs = {chip: {key for values in features.values() for key in values} for chip, features in printed.items()}
    board = any(key.startswith(("in", "fan")) for keys in inputs.values() for key in keys)
    processor = any(keys and chip.partition("-")[0] in CPU_CHIPS for chip, keys in inputs.items())
    return [*(["board"] if board or not processor else []), *(["thermals"] if processor else [])]
