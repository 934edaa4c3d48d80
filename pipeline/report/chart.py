"""Line and scatter charts as SVG: small enough to be read on a phone, colours from the page's style sheet.

A series is told by colour and by the shape of its marks. Sizes are in CSS pixels on a phone, larger on wide screens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH, HEIGHT = 320, 210
RIGHT, TOP, BOTTOM = 14, 24, 34
SERIES = 6  # colours of the style sheet
_STYLE = Path(__file__).parent / "chart.css"
_MARK = 3.6  # half of a mark's width


@dataclass(frozen=True)
class Point:
    """One mark; error: half the length of its bar. label stands at the axis (curves) or beside the mark (scatter)."""

    x: float
    y: float
    label: str
    error: float | None = None


@dataclass(frozen=True)
class Series:
    """Points joined by a line."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Chart:
    """One chart. steps: the x axis counts iterations and shows the points' labels; else both axes are numeric, and
    labels says whether the points' stand beside them."""

    title: str
    x_title: str
    y_title: str
    series: tuple[Series, ...]
    steps: bool = True
    y_range: tuple[float, float] | None = None
    labels: bool = True


def svg(chart: Chart) -> str:
    """The chart as an inline SVG element."""
    points = [point for series in chart.series for point in series.points]
    ends = [point.y + sign * (point.error or 0) for point in points for sign in (-1, 1)]
    y_low, y_high = chart.y_range or _padded(min(ends), max(ends))
    xs = [point.x for point in points]
    x_low, x_high = (min(xs) - 0.3, max(xs) + 0.3) if chart.steps else _padded(min(xs), max(xs))
    left = 12 + 6.5 * max(len(f"{value:g}") for value in ticks(y_low, y_high))
    x, y = _scale(x_low, x_high, left, WIDTH - RIGHT), _scale(y_low, y_high, HEIGHT - BOTTOM, TOP)
    parts = [_text(0, 10, chart.y_title, "start"), _y_axis(ticks(y_low, y_high), y, left)]
    parts.append(_step_labels(points, x) if chart.steps else _x_axis(ticks(x_low, x_high), x))
    parts.append(_text(WIDTH - RIGHT, HEIGHT - 4, chart.x_title, "end"))
    beside = chart.labels and not chart.steps
    parts += [_series(index, series, x, y, beside) for index, series in enumerate(chart.series)]
    return _element(parts, chart.title, HEIGHT)


def scatter(title: str, kinds: Sequence[tuple[str, Sequence[tuple[float, float]]]]) -> str:
    """A map without axes: one colour and shape a kind."""
    xs, ys = zip(*(point for _, points in kinds for point in points), strict=True)
    x, y = _scale(min(xs), max(xs), 8, WIDTH - 8), _scale(min(ys), max(ys), WIDTH - 8, 8)
    marks = [
        f'<path class="dots c{index}" d="{"".join(mark(index, x(a), y(b), 2.6) for a, b in points)}"/>'
        for index, (_, points) in enumerate(kinds)
    ]
    return _element(marks, title, WIDTH)


def mark(index: int, x: float, y: float, half: float = _MARK) -> str:
    """SVG path data of a mark: circle, square, triangle, diamond, cross, plus."""
    h, x, y = half, round(x, 1), round(y, 1)
    match index % SERIES:
        case 0:
            return f"M{x - h:.1f} {y}a{h} {h} 0 1 0 {2 * h} 0a{h} {h} 0 1 0 {-2 * h} 0z"
        case 1:
            return f"M{x - h:.1f} {y - h:.1f}h{2 * h}v{2 * h}h{-2 * h}z"
        case 2:
            return f"M{x} {y - 1.2 * h:.1f}l{1.2 * h:.1f} {2.1 * h:.1f}h{-2.4 * h:.1f}z"
        case 3:
            d = round(1.3 * h, 1)
            return f"M{x} {y - d:.1f}l{d} {d}l{-d} {d}l{-d} {-d}z"
        case 4:
            return f"M{x - h:.1f} {y - h:.1f}l{2 * h} {2 * h}m0 {-2 * h}l{-2 * h} {2 * h}"
        case _:
            return f"M{x - h:.1f} {y}h{2 * h}M{x} {y - h:.1f}v{2 * h}"


def legend_mark(index: int) -> str:
    """A mark alone, for a legend."""
    path = f'<path d="{mark(index, 6, 6)}"/>'
    return f'<svg class="key c{index % SERIES}" viewBox="0 0 12 12" aria-hidden="true">{path}</svg>'


def standalone(chart: Chart) -> str:
    """The chart as an SVG file with its own style, light and dark, and a legend of text."""
    style = _STYLE.read_text(encoding="utf-8")
    inner = svg(chart).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    names = [
        f'<text x="{WIDTH - 80}" y="{TOP + 110 + 14 * index}">{escape(series.name)}</text>'
        f'<path class="mark c{index % SERIES}" d="{mark(index, WIDTH - 88, TOP + 106 + 14 * index)}"/>'
        for index, series in enumerate(chart.series)
    ]
    styled = inner.replace("</title>", f"</title><style>{style}</style>", 1)
    return styled.replace("</svg>", "".join(names) + "</svg>\n")


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers between low and high, about `count` of them."""
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw)
    first = math.ceil(low / step - 1e-9)
    return [round(step * index, 10) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _padded(low: float, high: float) -> tuple[float, float]:
    margin = (high - low) * 0.12 or max(abs(high) * 0.1, 0.5)
    return low - margin, high + margin


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    span = (high - low) or 1.0
    return lambda value: round(start + (value - low) / span * (end - start), 2)


def _element(parts: Sequence[str], title: str, height: int) -> str:
    name = escape(title)
    return f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img"><title>{name}</title>{"".join(parts)}</svg>'


def _text(x: float, y: float, text: str, anchor: str, style: str = "") -> str:
    chosen = f' class="{style}"' if style else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{chosen}>{escape(text)}</text>'


def _y_axis(values: Sequence[float], y: Callable[[float], float], left: float) -> str:
    return "".join(
        f'<path class="grid" d="M{left:g} {y(value):g}H{WIDTH - RIGHT}"/>'
        + _text(left - 6, y(value) + 3.5, f"{value:g}", "end")
        for value in values
    )


def _x_axis(values: Sequence[float], x: Callable[[float], float]) -> str:
    return "".join(_text(x(value), HEIGHT - BOTTOM + 15, f"{value:g}", "middle") for value in values)


def _step_labels(points: Sequence[Point], x: Callable[[float], float]) -> str:
    """At each iteration the labels of its points, those of one iteration side by side."""
    labels: dict[float, list[str]] = {}
    for point in points:
        names = labels.setdefault(point.x, [])
        if point.label not in names:
            names.append(point.label)
    return "".join(_text(x(at), HEIGHT - BOTTOM + 15, " ".join(names), "middle") for at, names in labels.items())


def _series(index: int, series: Series, x: Callable[[float], float], y: Callable[[float], float], beside: bool) -> str:
    colour = f"c{index % SERIES}"
    line = "L".join(f"{x(point.x):g} {y(point.y):g}" for point in series.points)
    bars, labels = "", ""
    for point in series.points:
        if point.error is not None:
            low, high = y(point.y - point.error), y(point.y + point.error)
            bars += f"M{x(point.x) - 3:g} {low:g}h6M{x(point.x):g} {low:g}V{high:g}M{x(point.x) - 3:g} {high:g}h6"
        if beside:
            labels += _text(x(point.x) + 7, y(point.y) - 6, point.label, "start", "label")
    marks = "".join(mark(index, x(point.x), y(point.y)) for point in series.points)
    return (
        f'<path class="line {colour}" d="M{line}"/>'
        + (f'<path class="bar {colour}" d="{bars}"/>' if bars else "")
        + f'<path class="mark {colour}" d="{marks}"/>{labels}'
    )
