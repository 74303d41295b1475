# SPDX-License-Identifier: GPL-2.0-only
"""Plots as SVG: lines with their names at their ends, bars with theirs beside them; the page's style sheet has the colours.

Nothing is told by colour alone: each line has a marker and a name, each bar a name and its figure.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

import markupsafe

from landlock_bpf import terminal

WIDTH, HEIGHT = 580, 320
# Of the area that lines are drawn in; names of lines stand right of it, figures left and below.
LEFT, RIGHT, TOP, BOTTOM = 60, 410, 28, 274
# A name and a figure stand above each bar.
BARS_WIDTH, BAR_HEIGHT = 320, 32
# From one name of a line to the next.
LINE = 16
# How many lines the axis has beside the base at most.
STEPS = 5
# Drawn around the origin, one for each slot; the page has a colour for each too.
MARKERS = (
    "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z",
    "M-3.5,-3.5h7v7h-7z",
    "M0,-5l4.5,8h-9z",
    "M0,-5l4.5,5l-4.5,5l-4.5,-5z",
    "M0,5l4.5,-8h-9z",
    "M-4.5,-1.5h3v-3h3v3h3v3h-3v3h-3v-3h-3z",
    "M-4.5,-2h9v4h-9z",
    "M-2,-4.5h4v9h-4z",
)


@dataclasses.dataclass(frozen=True)
class Series:
    """A line; `slot` chooses its marker and colour, the same in every plot."""

    name: str
    slot: int
    points: tuple[tuple[float, float], ...]


@dataclasses.dataclass(frozen=True)
class Bar:
    """A bar; `figure` is its value in words."""

    name: str
    slot: int
    value: float
    figure: str


@dataclasses.dataclass(frozen=True)
class Scale:
    """What is `low` is drawn at `start`, what is `high` at `end`; by their logarithms if `log`, and then low is above 0."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, here = (math.log(each) if self.log else each for each in (self.low, self.high, value))
        if low == high:
            return (self.start + self.end) / 2
        return self.start + (here - low) / (high - low) * (self.end - self.start)


def ticks(low: float, high: float, steps: int = STEPS) -> list[float]:
    """Give round numbers around low and high, at most `steps` apart from first to last, or one more."""
    span = high - low or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / steps))
    step = next(power * each for each in (1, 2, 5, 10) if power * each * steps >= span * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, max(last, first + 1) + 1)]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move places so that neighbours are `gap` apart, in the same order, and none is outside if all fit."""
    order = sorted(range(len(wanted)), key=lambda each: wanted[each])
    placed = list(wanted)
    below = low - gap
    for each in order:
        placed[each] = below = max(placed[each], below + gap)
    above = high + gap
    for each in reversed(order):
        placed[each] = above = min(placed[each], above - gap)
    return placed


def lines(title: str, across: str, up: str, series: Sequence[Series], top: float | None = None) -> markupsafe.Markup:
    """Draw lines over a logarithmic axis, whose values must be above 0; `top` is the least that the upward axis reaches."""
    columns = sorted({x for each in series for x, _ in each.points})
    values = [y for each in series for _, y in each.points]
    levels = ticks(min(0, *values), max(0, *values, top or 0))
    right = Scale(columns[0], columns[-1], LEFT, RIGHT, log=True)
    rise = Scale(levels[0], levels[-1], BOTTOM, TOP)
    picture = _picture(title, WIDTH, HEIGHT)
    for level in levels:
        _line(picture, "base" if level == 0 else "grid", LEFT, rise(level), RIGHT, rise(level))
        _text(picture, "end", LEFT - 8, rise(level) + 4, f"{level:,g}")
    for column in columns:
        _line(picture, "tick", right(column), BOTTOM, right(column), BOTTOM + 5)
        _text(picture, "middle", right(column), BOTTOM + 19, f"{column:,g}")
    _text(picture, "middle", (LEFT + RIGHT) / 2, BOTTOM + 40, across)
    _text(picture, "start", 0, 10, up)
    names = spread([rise(each.points[-1][1]) for each in series], LINE, TOP, BOTTOM)
    for each, name in zip(series, names, strict=True):
        group = ElementTree.SubElement(picture, "g", {"class": f"series slot-{each.slot % len(MARKERS)}"})
        places = [(right(x), rise(y)) for x, y in each.points]
        path = " ".join(f"{_number(x)},{_number(y)}" for x, y in places)
        ElementTree.SubElement(group, "polyline", {"points": path})
        for (x, y), (column, value) in zip(places, each.points, strict=True):
            mark = _marker(group, each.slot, x, y)
            ElementTree.SubElement(mark, "title").text = terminal.shown(f"{each.name}: {value:,g} at {column:,g}")
        _line(group, "lead", places[-1][0] + 8, places[-1][1], RIGHT + 16, name)
        _marker(group, each.slot, RIGHT + 22, name)
        _text(group, "start", RIGHT + 32, name + 4, each.name)
    return _written(picture)


def bars(title: str, bars: Sequence[Bar], width: float = BARS_WIDTH) -> markupsafe.Markup:
    """Draw bars from one base, each below its name and its figure."""
    values = [bar.value for bar in bars]
    right = Scale(min(0, *values), max(0, *values), 0, width)
    picture = _picture(title, width, BAR_HEIGHT * len(bars))
    for number, bar in enumerate(bars):
        y = number * BAR_HEIGHT
        group = ElementTree.SubElement(picture, "g", {"class": f"series slot-{bar.slot % len(MARKERS)}"})
        _text(group, "start", 0, y + 12, bar.name)
        _text(group, "end figure", width, y + 12, bar.figure)
        left, end = sorted((right(0), right(bar.value)))
        box = {"x": left, "y": y + 17, "width": max(end - left, 1), "height": 7}
        ElementTree.SubElement(group, "rect", {key: _number(value) for key, value in box.items()})
        _line(group, "base", right(0), y + 15, right(0), y + 26)  # beside the bar alone, not through the names
    return _written(picture)


def stack(title: str, parts: Iterable[tuple[str, int]]) -> markupsafe.Markup:
    """Draw parts of a whole beside one another, each of a class; it is as wide and high as the page lets it be."""
    parts = [(kind, count) for kind, count in parts if count]
    total = sum(count for _, count in parts)
    attributes = {"class": "stack", "viewBox": f"0 0 {max(total, 1)} 1", "preserveAspectRatio": "none"}
    picture = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", **attributes})
    ElementTree.SubElement(picture, "title").text = terminal.shown(title)
    at = 0
    for kind, count in parts:
        box = {"class": kind, "x": str(at), "y": "0", "width": str(count), "height": "1"}
        ElementTree.SubElement(picture, "rect", box)
        at += count
    return _written(picture)


def _picture(title: str, width: float, height: float) -> ElementTree.Element:
    box = {
        "class": "plot",
        "viewBox": f"0 0 {_number(width)} {_number(height)}",
        "width": _number(width),
        "height": _number(height),
    }
    picture = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", **box})
    ElementTree.SubElement(picture, "title").text = terminal.shown(title)
    return picture


def _marker(parent: ElementTree.Element, slot: int, x: float, y: float) -> ElementTree.Element:
    place = f"translate({_number(x)},{_number(y)})"
    return ElementTree.SubElement(parent, "path", {"class": "marker", "d": MARKERS[slot % len(MARKERS)], "transform": place})


def _line(parent: ElementTree.Element, kind: str, x1: float, y1: float, x2: float, y2: float) -> None:
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    ElementTree.SubElement(parent, "line", {"class": kind, **{key: _number(value) for key, value in ends.items()}})


def _text(parent: ElementTree.Element, kind: str, x: float, y: float, text: str) -> None:
    place = {"class": kind, "x": _number(x), "y": _number(y)}
    ElementTree.SubElement(parent, "text", place).text = terminal.shown(text)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _written(picture: ElementTree.Element) -> markupsafe.Markup:
    return markupsafe.Markup(ElementTree.tostring(picture, encoding="unicode"))
