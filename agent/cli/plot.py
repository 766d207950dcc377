"""Curves as a picture in a page: inline SVG, without any script. Pure."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 720, 190
LEFT, RIGHT, TOP, BOTTOM = 52, 8, 8, 22
"""Pixels around the curves, for the numbers."""
COLOURS = ("#0b62a4", "#c0392b", "#27803c", "#8e44ad", "#b9770e", "#117a8b", "#7b4b2a", "#555555")
"""Of the curves, as many as can be told from each other on white paper; ours."""
GAP_S = 60.0
"""Seconds without a look after which a curve is interrupted: between rounds nobody looks; ours."""
LEGEND_ROW = 15
_COLUMNS = 2
_NAME_MOST = 52
"""Characters of a curve's name that fit beside another one."""


class Line(NamedTuple):
    """What a curve is called, and its points: seconds and values, rising in time, both finite."""

    name: str
    points: Sequence[tuple[float, float]]


def plot(lines: Sequence[Line], minutes: str) -> str:
    """The curves over the minutes since the first of their points; ``minutes`` is the word for them. Of more curves
    than there are colours the last ones are left out.
    """
    drawn = [line for line in lines[: len(COLOURS)] if line.points]
    if not drawn:
        return ""
    begin = min(line.points[0][0] for line in drawn)
    end = max(begin + 60.0, *(line.points[-1][0] for line in drawn))
    low, high = _range([value for line in drawn for _, value in line.points])
    across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(second: float) -> float:
        return LEFT + across * (second - begin) / (end - begin)

    def y(value: float) -> float:
        return TOP + down * (high - value) / (high - low)

    parts = [f'<rect x="{LEFT}" y="{TOP}" width="{across}" height="{down}" fill="none" stroke="#999"/>']
    digits = max(0, 2 - math.floor(math.log10(high - low)))
    for value in (low, (low + high) / 2.0, high):
        parts.append(f'<path d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.{digits}f}</text>')
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        said = f"{share * (end - begin) / 60.0:.3g} {minutes}"
        where = f'x="{LEFT + share * across:.1f}" y="{HEIGHT - 7}" text-anchor="{anchor}"'
        parts.append(f"<text {where}>{html.escape(said)}</text>")
    for number, (line, colour) in enumerate(zip(drawn, COLOURS, strict=False)):
        path = _path([(x(second), y(value), second) for second, value in _thinned(line.points, begin, end)])
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
        row, column = divmod(number, _COLUMNS)
        left, top = LEFT + column * across / _COLUMNS, HEIGHT + 10 + row * LEGEND_ROW
        parts.append(f'<path d="M{left:.0f} {top - 4}h14" stroke="{colour}" stroke-width="3"/>')
        parts.append(f'<text x="{left + 19:.0f}" y="{top}">{html.escape(line.name[:_NAME_MOST])}</text>')
    tall = HEIGHT + 6 + LEGEND_ROW * math.ceil(len(drawn) / _COLUMNS)
    return f'<svg viewBox="0 0 {WIDTH} {tall}" width="100%" font-size="11" role="img">{"".join(parts)}</svg>'


def _range(values: Sequence[float]) -> tuple[float, float]:
    """From where to where the numbers go, with a little room, and never nothing."""
    low, high = min(values), max(values)
    room = max(0.05 * (high - low), 0.01 * max(abs(low), abs(high)), 0.01)
    return low - room, high + room


def _thinned(points: Sequence[tuple[float, float]], begin: float, end: float) -> list[tuple[float, float]]:
    """Of the points that fall on one pixel only the lowest and the highest, so that no peak is lost."""
    pixels: dict[int, list[tuple[float, float]]] = {}
    for second, value in points:
        pixels.setdefault(int((second - begin) / (end - begin) * WIDTH), []).append((second, value))
    kept: list[tuple[float, float]] = []
    for on_it in pixels.values():
        ends = {min(on_it, key=lambda point: point[1]), max(on_it, key=lambda point: point[1])}
        kept += sorted(ends)
    return kept


def _path(points: Sequence[tuple[float, float, float]]) -> str:
    """The path through the points (x, y, second), with a new beginning after each gap."""
    parts, last = [], -math.inf
    for x, y, second in points:
        parts.append(f"{'M' if second - last > GAP_S else 'L'}{x:.1f} {y:.1f}")
        last = second
    return "".join(parts)
