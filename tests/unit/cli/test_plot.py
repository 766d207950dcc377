"""Curves as a picture: well-formed, within its frame, and with every peak."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.cli.certificate import page
from agent.cli.plot import COLOURS, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Line, plot
from agent.diagnose.series import Curve
from agent.texts import LANGUAGES
from tests.unit.cli.test_exercising import CERTIFICATE, Page

values = st.floats(-1e9, 1e9)
points = st.lists(st.tuples(st.floats(0, 1e6), values), min_size=1, max_size=60).map(sorted)
lines = st.lists(st.builds(Line, st.text(st.characters(categories=["L", "P", "S"]), max_size=9), points), max_size=10)


def elements(svg: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter())  # noqa: S314 -- made by us, just now


def drawn(svg: str) -> list[list[tuple[float, float]]]:
    """The curves' paths, each its points in pixels."""
    paths = [e.get("d", "") for e in elements(svg) if e.get("stroke-width") == "1.3"]
    return [[(float(x), float(y)) for x, y in re.findall(r"[ML](\S+) ([^ML]+)", path)] for path in paths]


@given(lines)
def test_it_is_well_formed_and_stays_in_its_frame(curves: list[Line]) -> None:
    svg = plot(curves, "min")
    if not curves:
        assert svg == ""
        return
    found = drawn(svg)
    assert len(found) == min(len(curves), len(COLOURS))
    for path in found:
        assert path
        for x, y in path:
            assert LEFT - 0.1 <= x <= WIDTH - RIGHT + 0.1
            assert TOP - 0.1 <= y <= HEIGHT
    assert "script" not in {element.tag for element in elements(svg)}


def test_a_peak_of_one_second_in_an_hour_is_drawn() -> None:
    hour = [(float(second), 90.0 if second == 1801 else 40.0) for second in range(3600)]
    (path,) = drawn(plot([Line("zone", hour)], "min"))
    assert min(y for _, y in path) < TOP + 0.1 * HEIGHT
    assert len(path) < 3 * WIDTH


def test_between_two_rounds_nothing_is_drawn() -> None:
    rounds = [(float(second), 40.0) for second in (*range(60), *range(600, 660))]
    svg = plot([Line("zone", rounds)], "min")
    (path,) = [e.get("d", "") for e in elements(svg) if e.get("stroke-width") == "1.3"]
    assert path.count("M") == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_shows_each_kind_of_sensor_and_takes_no_markup_from_it(language: str) -> None:
    seen = [(float(second), 40.0 + second) for second in range(30)]
    curves = [Curve(f"thermal_zone{n}", "<b>acpitz</b>", "°C", seen) for n in range(11)]
    curves += [Curve("hwmon1/in0", "nct", "V", [(0.0, 1.2), (9.0, 1.1)]), Curve("load", "", "1", seen)]
    text = page(CERTIFICATE, language, curves)
    read = Page(text)
    assert text.count("<svg") == 2
    assert "b" not in read.elements
    assert "<svg" not in page(CERTIFICATE, language)
