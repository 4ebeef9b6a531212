"""Small plots for reports, as SVG inside a page: bars, columns and lines.

Text and axes take the page's color, so that they show on light and on dark
paper; series take colors that are easy to tell apart on both, and without red
and green. Each figure has a name for screen readers, and each mark shows its
value when you point at it.
"""

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

WIDTH = 640
_COLORS = ("#3b82c4", "#e08a1e", "#8a63c9", "#2a9d8f", "#c9507f", "#8c8c4a", "#6b7a8f", "#b5651d")
_FONT = 12
_CHARACTER = 6.7  # width of one, on average
_ROW = 24  # height of a bar with its space
_PLOT_HEIGHT = 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 42  # margins of plots with two axes
_CELL, _HEAT_MARGIN = 16, 32  # pixels of heat maps


@dataclass(frozen=True, slots=True)
class Bar:
    """A horizontal bar.

    Attributes:
        label: what it is of.
        value: its length, not negative.
        low: lower end of its interval, where it has one.
        high: upper end.
    """

    label: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """Points that belong together.

    Attributes:
        label: what they are of.
        points: x and y of each, by rising x; a point whose y is NaN is left out.
    """

    label: str
    points: Sequence[tuple[float, float]]


def bar_chart(title: str, bars: Sequence[Bar]) -> str:
    """Horizontal bars from 0, longest values to the right, each with its number, and whiskers where it has an interval.

    Args:
        title: what is shown and in which unit.
        bars: at least one, from the top down.
    """
    top = max(max(bar.value, bar.high or 0) for bar in bars) or 1
    left = min(240, 16 + _CHARACTER * max(len(bar.label) for bar in bars))
    room = WIDTH - left - 70
    digits = 0 if all(bar.value == round(bar.value) for bar in bars) else 3
    marks = []
    for row, bar in enumerate(bars):
        middle = row * _ROW + _ROW / 2
        length = room * bar.value / top
        tip, end = f"{bar.label}: {number(bar.value)}", length
        whisker = ""
        if bar.low is not None and bar.high is not None:
            tip += f" ({number(bar.low)} to {number(bar.high)})"
            low, high = left + room * bar.low / top, left + room * bar.high / top
            end = max(length, high - left)
            whisker = (
                f'<path d="M{low:.1f} {middle - 4:.1f}v8M{low:.1f} {middle:.1f}H{high:.1f}M{high:.1f} '
                f'{middle - 4:.1f}v8" stroke="currentColor" fill="none"/>'
            )
        marks.append(
            f"<g><title>{html.escape(tip)}</title>"
            + _text(left - 8, middle + 4, _shortened(bar.label), "end")
            + f'<rect x="{left:.1f}" y="{middle - 8:.1f}" width="{length:.1f}" height="16" fill="{_COLORS[0]}"/>'
            + whisker
            + _text(left + end + 6, middle + 4, f"{bar.value:,.{digits}f}")
            + "</g>"
        )
    return _figure(title, len(bars) * _ROW, "".join(marks))


def line_chart(title: str, lines: Sequence[Line], *, x_label: str, y_label: str, from_zero: bool = False) -> str:
    """Lines over a common pair of axes.

    Args:
        title: what is shown.
        lines: at least one with a point.
        x_label: what the horizontal axis counts.
        y_label: what the vertical axis measures.
        from_zero: let the vertical axis begin at 0 even if no value is near.
    """
    kept = [Line(line.label, [point for point in line.points if not math.isnan(point[1])]) for line in lines]
    points = [point for line in kept for point in line.points]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    axes = _Axes(min(xs), max(xs), 0 if from_zero else min(ys), max(ys))
    marks = [axes.grid(), axes.x_numbers(ticks(axes.x_low, axes.x_high)), axes.names(x_label, y_label)]
    for index, line in enumerate(kept):
        color = _COLORS[index % len(_COLORS)]
        places = [(axes.x(x), axes.y(y)) for x, y in line.points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        dash = "" if index < len(_COLORS) else ' stroke-dasharray="5 3"'
        marks.append(f'<path d="M{path}" stroke="{color}" stroke-width="2" fill="none"{dash}/>' if path else "")
        for (x, y), (px, py) in zip(line.points, places, strict=True):
            tip = html.escape(f"{line.label}, {number(x)}: {number(y)}")
            marks.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{color}"><title>{tip}</title></circle>')
    return _figure(title, axes.height, "".join(marks), _legend([line.label for line in kept]))


def column_chart(
    title: str,
    categories: Sequence[str],
    series: Sequence[tuple[str, Sequence[float]]],
    *,
    x_label: str,
    y_label: str,
    intervals: Mapping[str, Sequence[tuple[float, float]]] = MappingProxyType({}),
) -> str:
    """Upright columns from 0, those of a category side by side: histograms, and histograms compared.

    Args:
        title: what is shown.
        categories: from the left; where there are many, only some are named.
        series: the label of each, and its value in each category, not negative.
        x_label: what the categories are.
        y_label: what the vertical axis measures.
        intervals: by the label of a series, the lower and upper end of each value's interval, shown as a whisker.
    """
    tops = [*(values for _, values in series), *([high for _, high in ends] for ends in intervals.values())]
    axes = _Axes(0, len(categories), 0, max((value for values in tops for value in values), default=0))
    width = 0.84 / max(1, len(series))  # of a column, where a category is 1 wide
    marks = [axes.grid(), axes.names(x_label, y_label)]
    every = math.ceil(len(categories) * _CHARACTER * (1 + max(map(len, categories))) / axes.width)
    marks += [
        _text(axes.x(place + 0.5), axes.floor + 15, categories[place], "middle")
        for place in range(0, len(categories), every)
    ]
    for index, (label, values) in enumerate(series):
        for place, (category, value) in enumerate(zip(categories, values, strict=True)):
            x, y = axes.x(place + 0.08 + index * width), axes.y(value)
            tip = html.escape(f"{label}, {category}: {number(value)}")
            marks.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{axes.x(width) - axes.x(0):.1f}" '
                f'height="{axes.floor - y:.1f}" fill="{_COLORS[index % len(_COLORS)]}"><title>{tip}</title></rect>'
            )
        for place, (low, high) in enumerate(intervals.get(label, ())):
            x = axes.x(place + 0.08 + (index + 0.5) * width)
            marks.append(f'<path d="M{x:.1f} {axes.y(low):.1f}V{axes.y(high):.1f}" stroke="currentColor"/>')
    return _figure(title, axes.height, "".join(marks), _legend([label for label, _ in series]))


def heat_map(title: str, matrix: NDArray[np.float64], labels: Sequence[str], *, most: float) -> str:
    """A matrix of shares as a figure: from each row's class to each column's, the more often the darker.

    Args:
        title: what is shown.
        matrix: [N, N], from 0 to 1.
        labels: N, of the classes.
        most: the share that is darkest, above 0.
    """
    cells = []
    for index, label in enumerate(labels):
        middle = _HEAT_MARGIN + index * _CELL + _CELL / 2
        cells.append(f'<text x="{middle}" y="{_HEAT_MARGIN - 4}" text-anchor="middle">{html.escape(label)}</text>')
        cells.append(f'<text x="{_HEAT_MARGIN - 4}" y="{middle + 4}" text-anchor="end">{html.escape(label)}</text>')
    for row, column in zip(*np.nonzero(matrix), strict=True):
        share = matrix[row, column]
        # Shares differ by orders of magnitude; the root lets the rare ones be seen.
        cells.append(
            f'<rect x="{_HEAT_MARGIN + column * _CELL}" y="{_HEAT_MARGIN + row * _CELL}" width="{_CELL - 1}" '
            f'height="{_CELL - 1}" fill-opacity="{(share / most) ** 0.5:.2f}">'
            f"<title>{html.escape(labels[row])} to {html.escape(labels[column])}: {share:.2%}</title></rect>"
        )
    size = _HEAT_MARGIN + len(labels) * _CELL
    name = html.escape(title)
    return (
        f'<figure><figcaption>{name}</figcaption><svg viewBox="0 0 {size} {size}" role="img" aria-label="{name}">'
        f"{''.join(cells)}</svg></figure>\n"
    )


def number(value: float) -> str:
    """A number for people to read: at most three decimals, and none if it is whole."""
    text = f"{value:,.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


# Below it a power of ten is no longer a whole float.
_LEAST_STEP = 1e-300


def ticks(low: float, high: float) -> list[float]:
    """About five round numbers within low..high."""
    if not high > low:
        return [low]
    rough = (high - low) / 5
    if rough < _LEAST_STEP:
        return [low]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    return [place * step for place in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


class _Axes:
    """Where numbers lie in a plot with two axes; the vertical one has some room above and below."""

    def __init__(self, x_low: float, x_high: float, y_low: float, y_high: float) -> None:
        if not y_high > y_low:
            y_high = y_low + 1
        room = (y_high - y_low) * 0.06
        self.x_low, self.x_high = x_low, x_high if x_high > x_low else x_low + 1
        self.y_low, self.y_high = y_low - room if y_low else 0, y_high + room
        self.width = WIDTH - _LEFT - _RIGHT
        self.floor = _TOP + _PLOT_HEIGHT
        self.height = self.floor + _BOTTOM

    def x(self, value: float) -> float:
        return _LEFT + self.width * (value - self.x_low) / (self.x_high - self.x_low)

    def y(self, value: float) -> float:
        return self.floor - _PLOT_HEIGHT * (value - self.y_low) / (self.y_high - self.y_low)

    def grid(self) -> str:
        lines = [f'<path d="M{_LEFT} {self.floor}h{self.width}" stroke="currentColor" fill="none"/>']
        for value in ticks(self.y_low, self.y_high):
            y = self.y(value)
            lines.append(f'<path d="M{_LEFT} {y:.1f}h{self.width}" stroke="currentColor" stroke-opacity="0.15"/>')
            lines.append(_text(_LEFT - 6, y + 4, number(value), "end"))
        return "".join(lines)

    def x_numbers(self, values: Sequence[float]) -> str:
        return "".join(_text(self.x(value), self.floor + 15, number(value), "middle") for value in values)

    def names(self, x_label: str, y_label: str) -> str:
        middle = _TOP + _PLOT_HEIGHT / 2
        return (
            _text(_LEFT + self.width / 2, self.floor + 34, x_label, "middle")
            + f'<text x="12" y="{middle}" transform="rotate(-90 12 {middle})" text-anchor="middle">'
            + f"{html.escape(y_label)}</text>"
        )


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(text)}</text>'


def _shortened(label: str) -> str:
    return label if len(label) <= 34 else label[:16] + "…" + label[-17:]


def _legend(labels: Sequence[str]) -> str:
    """Which color is which, in text next to a square; nothing for one series."""
    if len(labels) < 2:
        return ""
    entries = [
        f'<span style="white-space:nowrap"><span style="color:{_COLORS[index % len(_COLORS)]}">■</span> '
        f"{html.escape(label)}</span>"
        for index, label in enumerate(labels)
    ]
    return f"<p>{' &#8194; '.join(entries)}</p>"


def _figure(title: str, height: float, marks: str, legend: str = "") -> str:
    """A figure with its title as caption, as wide as the page allows; on a telephone it scrolls sideways."""
    name = html.escape(title)
    return (
        f'<figure><figcaption>{name}</figcaption><div class="scroll">'
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" width="100%" style="min-width:32rem;margin-top:.5rem" role="img" '
        f'aria-label="{name}" font-family="system-ui, sans-serif" font-size="{_FONT}" fill="currentColor">'
        f"{marks}</svg></div>{legend}</figure>\n"
    )
