"""Loss curves of the trainings, each point a mean over neighbouring updates."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.report.chart import Chart, Point, Series

_POINTS = 40  # of one curve at most


def read_losses(models: Path, data: Path, names: Sequence[str]) -> dict[str, list[float]]:
    """Loss of each update of the PRM and of every model that was trained, by name."""
    files = {"PRM": data / "prm_loss.csv"} | {name: models / name / "loss.csv" for name in names}
    return {name: _column(path) for name, path in files.items() if path.is_file()}


def _column(path: Path) -> list[float]:
    with path.open(newline="", encoding="utf-8") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def curves(losses: Mapping[str, Sequence[float]]) -> list[Chart]:
    """One chart a training: its loss by update."""
    charts = []
    for name, found in losses.items():
        width = -(-len(found) // _POINTS)
        means = []
        for start in range(0, len(found), width):
            part = found[start : start + width]
            means.append(Point(start + len(part) / 2, sum(part) / len(part), f"{start + 1} to {start + len(part)}"))
        if means:
            charts.append(Chart(name, "update", "loss", (Series(name, tuple(means)),), steps=False, labels=False))
    return charts
