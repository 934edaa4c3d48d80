"""What the page shows besides the metrics: trees, Figure 2, the drop ledger, and where the run comes from."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.command import Stage
from pipeline.core.errors import PipelineError
from pipeline.core.files import read, read_json
from pipeline.core.records import Tree
from pipeline.report.grid import Grid, number, words
from pipeline.report.metrics import Lineage
from pipeline.report.provenance import Provenance

Points = dict[str, dict[str, list[tuple[float, float]]]]


@dataclass(frozen=True)
class Sources:
    """base: what the base model is. trees: a sample of each round's trees. points: Figure 2 by panel and kind.

    losses: of each update of a training. embedding: how the points were made and what their neighbours are (reports of
    `embedding.figure`).
    """

    base: str
    seed: int
    trees: Mapping[str, list[Tree]]
    points: Points
    embedding: Mapping[str, Any]
    ledger: Grid
    losses: Mapping[str, list[float]]
    provenance: Provenance


def read_sources(stage: Stage, lineage: Lineage, base: str, seed: int, origin: Provenance) -> Sources:
    """Read them from where the stages before wrote them; rounds that hold no trees have none to show."""
    excerpts = {model: stage.excerpts / model / "trees.parquet" for model in lineage.models}
    trees = {model: read(path, Tree) for model, path in excerpts.items() if path.is_file()}
    curves = {"PRM": stage.data / "prm_loss.csv"} | {name: stage.models / name / "loss.csv" for name in lineage.models}
    losses = {name: [float(row["loss"]) for row in _rows(path)] for name, path in curves.items() if path.is_file()}
    embedding, ledger = read_json(stage.data / "figure2.json"), _ledger(stage.ledger)
    return Sources(base, seed, trees, _points(stage.points), embedding, ledger, losses, origin)


def _points(path: Path) -> Points:
    points: Points = {}
    for row in _rows(path):
        place = (float(row["x"]), float(row["y"]))
        points.setdefault(row["panel"], {}).setdefault(row["kind"], []).append(place)
    return points


def _ledger(path: Path) -> Grid:
    rows = _rows(path)
    header = tuple(rows[0]) if rows else ()
    cells = tuple(tuple(number(int(v)) if name == "count" else words(v) for name, v in row.items()) for row in rows)
    return Grid(header, cells)


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise PipelineError(f"{path}: no such file; run `dvc repro` for the stage that makes it")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
