"""Everything a report writes: metrics.json, table.md, the tables and the curve as CSV, one SVG, the page."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.core.files import replacing, write_json
from pipeline.core.terminal import markdown
from pipeline.report import chart, figures, page
from pipeline.report.grid import Cell, Grid, Table
from pipeline.report.metrics import Lineage, Metrics, parts
from pipeline.report.sources import Sources
from pipeline.report.tables import tables


def write(metrics: Metrics, lineage: Lineage, sources: Sources, folder: Path) -> None:
    """Write the whole report into `folder`; all but the page is the same for the same metrics."""
    shown = tables(metrics, lineage)
    accuracy = figures.accuracy(metrics, lineage)
    write_json(folder / "metrics.json", metrics)
    _text(folder / "table.md", document(shown))
    _curve(metrics, folder / "accuracy.csv")
    _text(folder / "accuracy.svg", chart.standalone(accuracy[-1]))
    _csv_tables(shown, folder / "tables")
    _text(folder / "index.html", page.html(metrics, lineage, shown, accuracy, sources))


def document(shown: Sequence[Table]) -> str:
    """All tables as Markdown."""
    blocks = ["# Results"]
    for table in shown:
        blocks += [f"## {table.title}", table.note]
        blocks.append(_markdown(table.ours) if table.ours else "This run has no such numbers.")
        if table.paper:
            blocks += ["The paper (arXiv 2503.03746):", _markdown(table.paper)]
    return "\n\n".join(blocks) + "\n"


def _markdown(grid: Grid) -> str:
    return markdown(grid.header, [[cell.text for cell in row] for row in grid.rows])


def _csv_tables(shown: Sequence[Table], folder: Path) -> None:
    """One file a table, one more for the paper's numbers; what an earlier run left there is removed."""
    if folder.exists():
        shutil.rmtree(folder)
    for table in shown:
        for name, grid in ((table.name, table.ours), (f"{table.name}-paper", table.paper)):
            if grid:
                _csv(folder / f"{name}.csv", *plain(grid))


def plain(grid: Grid) -> tuple[list[str], list[list[str]]]:
    """Header and rows without typography: a measured column becomes two, the value and its standard error."""
    measured = [any(row[index].error is not None for row in grid.rows) for index in range(len(grid.header))]

    def line(pairs: Iterable[tuple[str, str]]) -> list[str]:
        return [text for pair, both in zip(pairs, measured, strict=True) for text in (pair if both else pair[:1])]

    header = line((name, f"{name} (standard error)") for name in grid.header)
    return header, [line((_value(cell), _rounded(cell.error)) for cell in row) for row in grid.rows]


def _value(cell: Cell) -> str:
    if cell.value is None:
        return "" if cell.text == "–" else cell.text
    return _rounded(cell.value)


def _rounded(value: float | None) -> str:
    return "" if value is None else str(round(value, 4))


def _curve(metrics: Metrics, path: Path) -> None:
    """One row a model and split: what `dvc plots` draws."""
    rows = [
        [model, split, f"{part['accuracy']:.6f}", f"{part['accuracy_se']:.6f}"]
        for model, stats in metrics.items()
        for split, part in parts(stats).items()
    ]
    _csv(path, ["model", "split", "accuracy", "standard_error"], rows)


def _csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _text(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
