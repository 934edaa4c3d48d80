"""What the page shows besides the metrics: trees, Figure 2, the drop ledger, and where the run comes from."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.files import read, read_json
from pipeline.core.records import Tree
from pipeline.report.grid import Grid, number, words
from pipeline.report.metrics import Lineage
from pipeline.report.provenance import Provenance
from pipeline.report.training import read_losses

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


def read_sources(
    lineage: Lineage,
    models: Path,
    excerpts: Path,
    points: Path,
    data: Path,
    ledger: Path,
    base: str,
    seed: int,
    origin: Provenance,
) -> Sources:
    """Read them from where the stages before wrote them; rounds that hold no trees have none to show."""
    rounds = [model for model in lineage.models if (excerpts / model / "trees.parquet").is_file()]
    trees = {model: read(excerpts / model / "trees.parquet", Tree) for model in rounds}
    embedding = read_json(data / "figure2.json")
    losses = read_losses(models, data, lineage.models)
    return Sources(base, seed, trees, _points(points), embedding, _ledger(ledger), losses, origin)


def _points(path: Path) -> Points:
    found: Points = {}
    for row in _rows(path):
        place = (float(row["x"]), float(row["y"]))
        found.setdefault(row["panel"], {}).setdefault(row["kind"], []).append(place)
    return found


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
