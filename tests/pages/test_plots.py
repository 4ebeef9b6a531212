"""Plots: well formed, at scale, and harmless whatever they are labeled."""

import math
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.pages.plots import Bar, Line, bar_chart, column_chart, heat_map, line_chart, number, ticks

HOSTILE = "<script>alert('&\"')</script>"
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=60)


def texts(figure: str) -> list[str]:
    """All text in a figure that is no tooltip; raises if the figure is not well formed."""
    root = ET.fromstring(figure)
    return [element.text or "" for element in root.iter() if element.tag in ("text", "figcaption")]


def test_bars_have_their_length_their_number_and_their_interval() -> None:
    figure = bar_chart("Bits", [Bar("a", 2.0, 1.5, 2.5), Bar("b", 1.25)])
    assert texts(figure) == ["Bits", "a", "2.000", "b", "1.250"]
    first, second = (float(width) for width in re.findall(r'<rect [^>]*width="([\d.]+)"', figure))
    assert second / first == pytest.approx(1.25 / 2, abs=0.001)
    assert "<title>a: 2 (1.5 to 2.5)</title>" in figure
    assert "<title>b: 1.25</title>" in figure
    assert texts(bar_chart("Notes", [Bar("a", 1200), Bar("b", 7)]))[2] == "1,200"


def test_lines_go_through_their_points() -> None:
    lines = [Line("up", [(0, 0), (1, 1), (2, 2)]), Line("part", [(0, math.nan), (1, 0.5)])]
    figure = line_chart("Growth", lines, x_label="bars", y_label="bits")
    xs = [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', figure)]
    ys = [float(y) for y in re.findall(r'<circle [^>]*cy="([\d.]+)"', figure)]
    assert len(xs) == 4
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.1)
    assert ys[0] - ys[2] == pytest.approx(2 * (ys[0] - ys[1]), abs=0.2)
    assert ys[0] - ys[2] == pytest.approx(4 * (ys[0] - ys[3]), abs=0.4)
    assert {"Growth", "bars", "bits"} <= set(texts(figure))
    assert "<title>part, 1: 0.5</title>" in figure
    assert figure.count("■") == 2


def test_columns_have_their_intervals() -> None:
    columns = [("human", [1, 2]), ("made", [2, 2])]
    figure = column_chart("Steps", ["1", "2"], columns, x_label="", y_label="", intervals={"human": [(0, 1), (2, 4)]})
    (floor, first_top), (second_bottom, second_top) = (
        (float(low), float(high)) for low, high in re.findall(r'<path d="M[\d.]+ ([\d.]+)V([\d.]+)"', figure)
    )
    first, second, *_ = (float(y) for y in re.findall(r'<rect [^>]*y="([\d.]+)"', figure))
    assert (first_top, second_bottom) == (first, second)
    # Four is twice as high as two, and in the plot.
    assert floor - second_top == pytest.approx(2 * (floor - second), abs=0.2)
    assert second_top > 0


def test_columns_stand_on_the_floor() -> None:
    figure = column_chart(
        "Pitches", ["C", "D"], [("human", [3, 1]), ("made", [0, 4])], x_label="pitch", y_label="share"
    )
    tops = [float(y) for y in re.findall(r'<rect [^>]*y="([\d.]+)"', figure)]
    heights = [float(height) for height in re.findall(r'<rect [^>]*height="([\d.]+)"', figure)]
    assert [top + height for top, height in zip(tops, heights, strict=True)] == pytest.approx([tops[2]] * 4, abs=0.1)
    assert heights == pytest.approx([heights[3] * 3 / 4, heights[3] / 4, 0, heights[3]], abs=0.1)
    assert {"C", "D", "pitch", "share"} <= set(texts(figure))


def test_many_columns_are_not_all_named() -> None:
    figure = column_chart("Many", [str(place) for place in range(128)], [("a", [1.0] * 128)], x_label="x", y_label="y")
    assert 10 < len(texts(figure)) < 50


@given(NAMES)
def test_labels_are_text_and_nothing_else(name: str) -> None:
    assert name in texts(bar_chart(name, [Bar("a", 1)]))
    assert len(name) > 34 or name in texts(bar_chart("title", [Bar(name, 1)]))
    line_figure = line_chart(name, [Line(name, [(0, 1)]), Line("b", [])], x_label=name, y_label=name)
    assert texts(line_figure).count(name) >= 3
    assert texts(column_chart(name, [name], [(name, [1])], x_label=name, y_label=name)).count(name) >= 4


def test_hostile_labels_are_escaped() -> None:
    for figure in (
        bar_chart(HOSTILE, [Bar(HOSTILE, 1)]),
        line_chart(HOSTILE, [Line(HOSTILE, [(0, 0)])] * 2, x_label=HOSTILE, y_label=HOSTILE),
        column_chart(HOSTILE, [HOSTILE], [(HOSTILE, [1])] * 2, x_label=HOSTILE, y_label=HOSTILE),
    ):
        assert "<script" not in figure
        assert "alert('" not in figure


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=5))
def test_any_values_give_a_figure_without_what_is_no_number(values: list[float]) -> None:
    figures = [
        bar_chart("a", [Bar(str(value), value, value / 2, value * 2) for value in values]),
        line_chart("a", [Line("b", list(enumerate(values)))], x_label="x", y_label="y", from_zero=True),
        column_chart("a", [str(value) for value in values], [("b", values)], x_label="x", y_label="y"),
    ]
    for figure in figures:
        texts(figure)
        assert "nan" not in figure
        assert "inf" not in figure


def test_ticks_are_round_numbers_within() -> None:
    assert ticks(0, 10) == [0, 2, 4, 6, 8, 10]
    assert ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert ticks(1.56, 2.74) == pytest.approx([1.75, 2, 2.25, 2.5])
    assert ticks(3, 3) == [3]


def test_numbers_are_told_shortly() -> None:
    assert [number(value) for value in (0, 1200, 1.5, 0.12345, -0.0001, 1e6)] == [
        "0",
        "1,200",
        "1.5",
        "0.123",
        "0",
        "1,000,000",
    ]


def test_heat_map() -> None:
    drawn = heat_map("From <to>", np.array([[0, 0.25], [0, 1.0]]), ["a", "b"], most=1.0)
    assert "From &lt;to&gt;" in drawn
    assert drawn.count("<rect") == 2
    assert 'fill-opacity="0.50"><title>a to b: 25.00%</title>' in drawn
    assert 'fill-opacity="1.00"><title>b to b: 100.00%</title>' in drawn
