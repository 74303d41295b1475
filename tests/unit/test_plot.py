# SPDX-License-Identifier: GPL-2.0-only
"""Plots: what is drawn is where it belongs, and nothing of a name is taken for SVG."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landlock_bpf.compare import plot

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</svg><script>alert(1)</script> \"'&\x1b\u202e"
number = st.floats(-1e9, 1e9, allow_nan=False)


def parse(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)


def texts(picture: ElementTree.Element, kind: str) -> dict[str | None, tuple[float, float]]:
    found = picture.iter(f"{SVG}text")
    return {each.text: (float(each.get("x", "")), float(each.get("y", ""))) for each in found if each.get("class") == kind}


def points(picture: ElementTree.Element) -> list[list[tuple[float, ...]]]:
    found = [each.get("points", "") for each in picture.iter(f"{SVG}polyline")]
    return [[tuple(map(float, place.split(","))) for place in line.split()] for line in found]


def test_scale() -> None:
    scale = plot.Scale(0, 10, 100, 200)
    assert [scale(value) for value in (0, 5, 10)] == [100, 150, 200]
    upwards = plot.Scale(0, 10, 200, 100)
    assert upwards(2.5) == 175
    log = plot.Scale(1, 10_000, 0, 100, log=True)
    assert [log(value) for value in (1, 100, 10_000)] == pytest.approx([0, 50, 100])
    assert plot.Scale(4, 4, 0, 100, log=True)(4) == 50


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 17_200, [0, 5_000, 10_000, 15_000, 20_000]),
        (0, 2_500, [0, 500, 1_000, 1_500, 2_000, 2_500]),
        (-12, 9_162, [-2_000, 0, 2_000, 4_000, 6_000, 8_000, 10_000]),
        (0, 0.3, [0, 0.1, 0.2, 0.3]),
        (0, 0, [0, 0.2]),
    ],
)
def test_ticks(low: float, high: float, expected: list[float]) -> None:
    assert plot.ticks(low, high) == pytest.approx(expected)


@given(number, st.floats(0.001, 1e9))
def test_ticks_are_around_what_is_drawn(low: float, span: float) -> None:
    levels = plot.ticks(low, low + span)
    room = 1e-6 * (span + abs(low))
    assert levels[0] <= low + room and levels[-1] >= low + span - room
    assert 2 <= len(levels) <= plot.STEPS + 2


def test_spread() -> None:
    assert plot.spread([50, 10, 52], 16, 0, 100) == [50, 10, 66]
    assert plot.spread([99, 98], 16, 0, 100) == [100, 84]


@given(st.lists(st.floats(0, 200), min_size=1, max_size=8))
def test_spread_keeps_names_apart_and_in_order(wanted: list[float]) -> None:
    placed = plot.spread(wanted, 16, 0, 200)
    assert all(0 <= place <= 200 for place in placed)
    ordered = [placed[each] for each in sorted(range(len(wanted)), key=lambda each: wanted[each])]
    assert all(after - before >= 16 - 1e-9 for before, after in itertools.pairwise(ordered))


def test_lines() -> None:
    series = [plot.Series("landlock", 1, ((1, 0), (4, 500), (16, 1_000))), plot.Series("ours", 2, ((1, 250), (16, 250)))]
    picture = parse(plot.lines("Cost", "directories", "instructions", series))
    middle, half = (plot.LEFT + plot.RIGHT) / 2, (plot.TOP + plot.BOTTOM) / 2
    quarter = plot.BOTTOM - (plot.BOTTOM - plot.TOP) / 4
    assert points(picture) == [
        [(plot.LEFT, plot.BOTTOM), (middle, half), (plot.RIGHT, plot.TOP)],
        [(plot.LEFT, quarter), (plot.RIGHT, quarter)],
    ]
    assert texts(picture, "end") == {
        f"{level:,}": (plot.LEFT - 8, pytest.approx(plot.BOTTOM + 4 - level / 1_000 * (plot.BOTTOM - plot.TOP), abs=0.01))
        for level in (0, 200, 400, 600, 800, 1_000)
    }
    below = texts(picture, "middle")
    assert [below[each][0] for each in ("1", "4", "16")] == [plot.LEFT, middle, plot.RIGHT]
    assert texts(picture, "start")["ours"][1] == quarter + 4


def test_each_point_has_its_marker_and_says_its_figure() -> None:
    picture = parse(plot.lines("Cost", "rules", "ns", [plot.Series("ours", 3, ((1, 849), (10_000, 1_849)))]))
    markers = [each for each in picture.iter(f"{SVG}path") if each.find(f"{SVG}title") is not None]
    assert [each.findtext(f"{SVG}title") for each in markers] == ["ours: 849 at 1", "ours: 1,849 at 10,000"]
    ((_, last),) = points(picture)
    assert markers[1].get("transform") == f"translate({last[0]:g},{last[1]:g})"
    assert {each.get("d") for each in markers} == {plot.MARKERS[3]}


def test_lines_of_one_dimension_are_drawn_to_one_scale() -> None:
    low = parse(plot.lines("Cost", "rules", "ns", [plot.Series("ours", 0, ((1, 500), (2, 500)))], top=1_000))
    assert points(low)[0][0] == (plot.LEFT, (plot.TOP + plot.BOTTOM) / 2)


def test_what_is_saved_is_drawn_below_the_base() -> None:
    picture = parse(plot.lines("Cost", "rules", "ns", [plot.Series("ours", 0, ((1, -100), (2, 100)))]))
    base = next(float(each.get("y1", "")) for each in picture.iter(f"{SVG}line") if each.get("class") == "base")
    ((before, after),) = points(picture)
    assert before[1] > base > after[1]


def test_bars() -> None:
    bars = [plot.Bar("landlock", 0, 200, "+200"), plot.Bar("ours", 1, 50, "+50 (0.25)"), plot.Bar("none", 2, 0, "+0")]
    picture = parse(plot.bars("rename", bars, width=400))
    boxes = [{key: float(each.get(key, "")) for key in ("x", "width")} for each in picture.iter(f"{SVG}rect")]
    assert boxes == [{"x": 0, "width": 400}, {"x": 0, "width": 100}, {"x": 0, "width": 1}]
    assert list(texts(picture, "start")) == ["landlock", "ours", "none"]
    assert list(texts(picture, "end figure")) == ["+200", "+50 (0.25)", "+0"]


def test_a_bar_of_less_than_nothing_goes_the_other_way() -> None:
    picture = parse(plot.bars("rename", [plot.Bar("a", 0, -100, "-100"), plot.Bar("b", 1, 300, "+300")], width=400))
    boxes = [(float(each.get("x", "")), float(each.get("width", ""))) for each in picture.iter(f"{SVG}rect")]
    assert boxes == [(0, 100), (100, 300)]


def test_stack() -> None:
    picture = parse(plot.stack("landlock: 3 as wanted, 1 open", [("right", 3), ("strict", 0), ("open", 1)]))
    boxes = [(each.get("class"), each.get("x"), each.get("width")) for each in picture.iter(f"{SVG}rect")]
    assert boxes == [("right", "0", "3"), ("open", "3", "1")]
    assert picture.get("viewBox") == "0 0 4 1"
    assert picture.findtext(f"{SVG}title") == "landlock: 3 as wanted, 1 open"


def test_names_are_no_svg() -> None:
    pictures = (
        plot.lines(HOSTILE, HOSTILE, HOSTILE, [plot.Series(HOSTILE, 0, ((1, 1), (2, 2)))]),
        plot.bars(HOSTILE, [plot.Bar(HOSTILE, 0, 1, HOSTILE)]),
        plot.stack(HOSTILE, [("right", 1)]),
    )
    for picture in pictures:
        root = parse(picture)
        assert {each.tag for each in root.iter()} <= {
            f"{SVG}{tag}" for tag in ("svg", "title", "text", "g", "path", "rect", "line", "polyline")
        }
        assert root.findtext(f"{SVG}title") == "</svg><script>alert(1)</script> \"'&\\x1b\\u202e"
