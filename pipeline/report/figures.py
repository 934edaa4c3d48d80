"""Which curves a report shows: accuracy, judge, steps and losses; steps against their length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report.chart import Chart, Point, Series
from pipeline.report.grid import Cell, Grid, number
from pipeline.report.metrics import PAIRS, Lineage, Metrics, judged, parts

_POINTS = 40  # of a loss curve at most


def accuracy(metrics: Metrics, lineage: Lineage) -> list[Chart]:
    """Greedy accuracy, one chart a split and the average last; one line a method."""
    by_model = {model: parts(stats) for model, stats in metrics.items()}
    splits = [split for split in next(iter(by_model.values())) if split != "pooled"]
    return [
        _curve(
            split, "accuracy, %", {model: part[split] for model, part in by_model.items()}, "accuracy", lineage, True
        )
        for split in splits
    ]


def judge(metrics: Metrics, lineage: Lineage) -> list[Chart]:
    """Accuracy and consistency of every model as a judge."""
    judges = {model: quality for model, stats in metrics.items() if (quality := judged(stats, PAIRS))}
    titles = {"judge_accuracy": "accuracy on held-out pairs", "consistency": "consistency under swapped order"}
    curves = [_curve(title, "%", judges, name, lineage, True) for name, title in titles.items()]
    return [curve for curve in curves if curve.series]


def steps(metrics: Metrics, lineage: Lineage) -> list[Chart]:
    """Steps a solution and characters a step over the iterations, and the one against the other."""
    pooled = {model: stats["evaluation"]["pooled"] for model, stats in metrics.items()}
    paths = []
    for name, chain in lineage.chains().items():
        points = [Point(pooled[model]["steps"], pooled[model]["step_characters"], model) for model in chain]
        paths.append(Series(name, tuple(points)))
    return [
        _curve("steps a solution", "steps", pooled, "steps", lineage),
        _curve("length of a step", "characters", pooled, "step_characters", lineage),
        Chart("length against number", "steps a solution", "characters a step", tuple(paths), steps=False),
    ]


def paper_steps(grid: Grid) -> Chart:
    """The paper's steps and lengths (its MATH column): one path a model size."""
    paths = []
    for name, *cells in grid.rows:
        pairs = [cell.text.split(" / ") for cell in cells]
        points = [
            Point(float(n), float(length), label) for label, (n, length) in zip(grid.header[1:], pairs, strict=True)
        ]
        paths.append(Series(name.text, tuple(points)))
    return Chart("the paper, MATH", "steps a solution", "length of a step", tuple(paths), steps=False)


def losses(updates: Mapping[str, Sequence[float]]) -> list[Chart]:
    """One chart a training: its loss by update, each point a mean over neighbouring ones."""
    charts = []
    for name, values in updates.items():
        width = -(-len(values) // _POINTS)
        means = []
        for start in range(0, len(values), width):
            part = values[start : start + width]
            means.append(Point(start + len(part) / 2, sum(part) / len(part), f"{start + 1} to {start + len(part)}"))
        if means:
            charts.append(Chart(name, "update", "loss", (Series(name, tuple(means)),), steps=False, labels=False))
    return charts


def data(chart: Chart) -> Grid:
    """What a chart draws, as a table."""
    rows: list[tuple[Cell, ...]] = []
    for series in chart.series:
        for point in series.points:
            place = () if chart.steps else (number(point.x, 2),)
            rows.append((Cell(series.name), Cell(point.label), *place, number(point.y, 2, point.error)))
    place_names = () if chart.steps else (chart.x_title,)
    return Grid(("line", "model", *place_names, chart.y_title), tuple(rows))


def _curve(
    title: str, unit: str, values: Mapping[str, Mapping[str, Any]], name: str, lineage: Lineage, percent: bool = False
) -> Chart:
    """The value `name` of each model along its chain, one line a method."""
    factor = 100 if percent else 1
    lines = []
    for method, chain in lineage.chains().items():
        points = [
            Point(place, factor * values[model][name], model, factor * values[model][f"{name}_se"])
            for place, model in enumerate(chain)
            if model in values
        ]
        if points:
            lines.append(Series(method, tuple(points)))
    return Chart(title, "", unit, tuple(lines), y_range=(0, 100) if percent else None)
