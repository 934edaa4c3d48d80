"""Tables 1 to 9 of the paper in our numbers, each with the paper's own numbers, and what our run adds to them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.report import collapse, contrast, judging, scaling
from pipeline.report.grid import Cell, Grid, Table, amount, grid, measured, number, percent, words
from pipeline.report.metrics import Lineage, Metrics, difference

PAPER = Path(__file__).parent / "paper.yaml"


def tables(metrics: Metrics, lineage: Lineage) -> list[Table]:
    """All tables in the order of the paper."""
    with PAPER.open(encoding="utf-8") as file:
        paper = {name: _printed(part) for name, part in yaml.safe_load(file).items()}
    return [
        _accuracy(metrics, lineage, paper["accuracy"]),
        *_by_grader(metrics),
        _change(metrics, lineage, paper["change"]),
        contrast.table(metrics, lineage),
        judging.accuracy(metrics, paper["judge"]),
        _steps(metrics, paper["steps"]),
        scaling.table(metrics, paper["scaling"]),
        judging.ways(metrics, lineage, paper["styles"]),
        judging.scorers(metrics),
        judging.calibration(metrics),
        judging.verdicts(metrics),
        _rounds(metrics),
        collapse.table(metrics),
    ]


def _printed(part: Mapping[str, Any]) -> Grid:
    rows = tuple(tuple(Cell(str(v), v if isinstance(v, float) else None) for v in row) for row in part["rows"])
    return Grid(tuple(part["header"]), rows)


def _splits(metrics: Metrics) -> list[str]:
    return list(next(iter(metrics.values()))["evaluation"])


def _averaged(metrics: Metrics) -> dict[str, str]:
    """The splits of which solutions were sampled, each with the name of its column."""
    parts = [part for stats in metrics.values() for part in stats["evaluation"].items()]
    return {split: f"{split} avg@{part['sampled']['samples']}" for split, part in parts if "sampled" in part}


def _accuracy(metrics: Metrics, lineage: Lineage, paper: Grid) -> Table:
    splits = [split for split in _splits(metrics) if split != "pooled"]
    averaged = _averaged(metrics)
    rows = []
    for model, stats in metrics.items():
        row = [words(model), words(lineage.starts.get(model) or "–"), words(lineage.methods.get(model, "reference"))]
        for split in splits:
            row.append(measured(stats["evaluation"][split], "accuracy"))
            if split in averaged:
                row.append(measured(stats["evaluation"][split].get("sampled", {}), "accuracy"))
        change = measured(stats.get("delta", {}), "delta_average", "+")
        rows.append([*row, measured(stats["average"], "accuracy"), change])
    note = (
        "Greedy decoding, percent right with one standard error, on held-out problems. Average: the plain mean of the "
        "sets, as in the paper. Change: of the average, against the model it was trained from. "
    )
    if averaged:
        note += "avg@k: the mean of k sampled solutions a problem, its error over problems; not in the average. "
    if lineage.references:
        note += f"Reference, asked over its endpoint with the same prompts: {', '.join(lineage.references)}."
    else:
        note += "This run has no GPT-4o row: no reference model was evaluated."
    names = [name for split in splits for name in ([split, averaged[split]] if split in averaged else [split])]
    header = ["model", "from", "method", *names, "average", "change"]
    return Table("1-accuracy", "Table 1. Accuracy", note, grid(header, rows), paper)


def _by_grader(metrics: Metrics) -> list[Table]:
    """Accuracy and unreadable answers of all splits that one grader grades; nothing where there is only one."""
    names = list(dict.fromkeys(name for stats in metrics.values() for name in stats.get("graders", {})))
    rows = []
    for model, stats in metrics.items():
        parts = [stats.get("graders", {}).get(name, {}) for name in names]
        cells = [cell for part in parts for cell in (measured(part, "accuracy"), percent(part.get("unreadable")))]
        rows.append([words(model), *cells])
    note = (
        "Percent right of all problems that one grader grades, with one standard error, and percent of their answers "
        "that it could not read, or not in time; domain: the domain's own grader."
    )
    header = ["model", *(column for name in names for column in (name, "unreadable"))]
    return [Table("1-graders", "Accuracy by grader", note, grid(header, rows))] if names else []


def _change(metrics: Metrics, lineage: Lineage, paper: Grid) -> Table:
    splits = [*(split for split in _splits(metrics) if split != "pooled"), "average"]
    rows = []
    for name, chain in lineage.chains().items():
        if ends := lineage.trained(chain):
            delta = difference(metrics[ends[0]], metrics[ends[1]])
            cells = [measured(delta, f"delta_{split}", "+") for split in splits]
            rows.append([words(name), words(f"{ends[0]} to {ends[1]}"), *cells])
    note = (
        "Percentage points from the model after SFT to the last round, with one standard error of the unpaired "
        "difference (both models answer the same problems, so the true error is rather smaller)."
    )
    header = ["method", "models", *splits]
    return Table("2-change", "Table 2. What self-rewarding adds", note, grid(header, rows), paper)


def _steps(metrics: Metrics, paper: Grid) -> Table:
    splits = _splits(metrics)
    rows = []
    for model, stats in metrics.items():
        parts = [stats["evaluation"][split] for split in splits]
        cells = [amount(part, name, 2) for part in parts for name in ("steps", "step_characters")]
        rows.append([words(model), *cells, percent(stats["evaluation"]["pooled"]["answered"])])
    header = ["model", *(name for split in splits for name in (f"{split}: steps", "characters")), "answered"]
    note = (
        "Steps of a greedy solution and characters of a step (without its marker), with one standard error; "
        "answered: percent of the solutions that end in a marked answer (in mathematics a box). Of the paper's tables, "
        "its MATH column stands here."
    )
    return Table("4-7-8-steps", "Tables 4, 7 and 8. Number and length of steps", note, grid(header, rows), paper)


def _rounds(metrics: Metrics) -> Table:
    rows = []
    for model, stats in metrics.items():
        if "pairs" in stats:
            pairs, search = stats["pairs"], stats.get("search", {})
            costs = [pairs.get(f"{what}_per_pair") for what in ("tokens", "judge_tokens", "judge_calls")]
            sizes = [search.get("problems"), search.get("states"), pairs["pairs"], *costs]
            reasons = sorted(pairs["dropped"].items(), key=lambda item: -item[1])
            why = ", ".join(f"{reason} {count}" for reason, count in reasons) or "–"
            rows.append([words(model), *map(number, [*sizes, sum(pairs["dropped"].values())]), words(why)])
    header = [
        "model", "problems", "states", "pairs", "tokens a pair", "judge tokens a pair", "judge calls a pair",
        "no pair", "why",
    ]  # fmt: skip
    note = (
        "Preference pairs that each model was trained on, and what its search sampled and asked its judge for each of "
        "them; a variant has its pairs from another round's search."
    )
    return Table("rounds", "What the rounds made", note, grid(header, rows))
