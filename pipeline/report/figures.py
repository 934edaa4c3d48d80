"""Which curves a report shows: accuracy, judge and steps over the iterations, and steps against their length."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.report.chart import Chart, Point, Series
from pipeline.report.grid import Cell, Grid, number
from pipeline.report.metrics import Lineage, Metrics

Value = Callable[[Mapping[str, Any]], "tuple[float, float | None] | None"]


def accuracy(metrics: Metrics, lineage: Lineage) -> list[Chart]:
    """Greedy accuracy, one chart a split and the average last; one line a method."""
    splits = [split for split in next(iter(metrics.values()))["evaluation"] if split != "pooled"]

    def of(split: str) -> Value:
        return lambda found: _percent(
            found["average"] if split == "average" else found["evaluation"][split], "accuracy"
        )

    return [_curve(split, "accuracy, %", metrics, lineage, of(split), percent=True) for split in [*splits, "average"]]


def judge(metrics: Metrics, lineage: Lineage) -> list[Chart]:
    """Accuracy and consistency of every model as a judge."""
    titles = {"judge_accuracy": "accuracy on held-out pairs", "consistency": "consistency under swapped order"}

    def of(name: str) -> Value:
        return lambda found: _percent(found["judge-psrlm"], name) if "judge-psrlm" in found else None

    curves = [_curve(title, "%", metrics, lineage, of(name), percent=True) for name, title in titles.items()]
    return [curve for curve in curves if curve.series]


def steps(metrics: Metrics, lineage: Lineage) -> list[Chart]:
    """Steps a solution and characters a step over the iterations, and the one against the other."""

    def of(name: str) -> Value:
        return lambda found: (found["evaluation"]["pooled"][name], found["evaluation"]["pooled"][f"{name}_se"])

    paths = []
    for name, chain in lineage.chains().items():
        parts = {model: metrics[model]["evaluation"]["pooled"] for model in chain}
        found = tuple(Point(part["steps"], part["step_characters"], model) for model, part in parts.items())
        paths.append(Series(name, found))
    return [
        _curve("steps a solution", "steps", metrics, lineage, of("steps")),
        _curve("length of a step", "characters", metrics, lineage, of("step_characters")),
        Chart("length against number", "steps a solution", "characters a step", tuple(paths), steps=False),
    ]


def paper_steps(grid: Grid) -> Chart:
    """The paper's steps and lengths (its MATH column): one path a model size."""
    paths = []
    for name, *cells in grid.rows:
        points = []
        for label, cell in zip(grid.header[1:], cells, strict=True):
            count, length = map(float, cell.text.split(" / "))
            points.append(Point(count, length, label))
        paths.append(Series(name.text, tuple(points)))
    return Chart("the paper, MATH", "steps a solution", "length of a step", tuple(paths), steps=False)


def data(chart: Chart) -> Grid:
    """What a chart draws, as a table."""
    rows: list[tuple[Cell, ...]] = []
    for series in chart.series:
        for point in series.points:
            place = () if chart.steps else (number(point.x, 2),)
            rows.append((Cell(series.name), Cell(point.label), *place, number(point.y, 2, point.error)))
    place_names = () if chart.steps else (chart.x_title,)
    return Grid(("line", "model", *place_names, chart.y_title), tuple(rows))


def _curve(title: str, unit: str, metrics: Metrics, lineage: Lineage, value: Value, *, percent: bool = False) -> Chart:
    lines = []
    for name, chain in lineage.chains().items():
        points = []
        for place, model in enumerate(chain):
            if (found := value(metrics[model])) is not None:
                points.append(Point(place, found[0], model, found[1]))
        if points:
            lines.append(Series(name, tuple(points)))
    return Chart(title, "", unit, tuple(lines), y_range=(0, 100) if percent else None)


def _percent(part: Mapping[str, Any], name: str) -> tuple[float, float | None]:
    return 100 * part[name], 100 * part[f"{name}_se"]
