"""The lines of the tables: a model of one run against a model of another (or of the same) run."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.cli.compare.runs import JUDGE, Change, Run, paired
from pipeline.report.metrics import PAIRS, judged


@dataclass(frozen=True)
class Row:
    """One line of a table. errors: standard errors of both sides and of the difference, None where none is known."""

    table: str
    name: str
    before: float
    after: float
    errors: tuple[float | None, float | None, float | None]
    unit: float  # what the values are multiplied with: 100 for percent
    pairs: bool = False


def rows_of(
    run: Run, model: str, other: Run, name: str, prefix: str = "", leave_out: Collection[str] = ()
) -> Iterator[Row]:
    """The lines for `model` of `run` against `name` of `other`, without the sections to leave out."""
    before, after = (
        {section: values for section, values in side.items() if section not in leave_out}
        for side in (run.metrics[model], other.metrics[name])
    )
    for side in (before, after):
        side[JUDGE] = judged(side, PAIRS)
    known: dict[tuple[str, str], Change] = {}
    if "evaluation" in before:
        known |= paired(run.solutions(model), other.solutions(name))
    if before[JUDGE]:
        known |= paired(run.judgments(model), other.judgments(name))
    splits = [split for split in before.get("evaluation", {}) if split in after.get("evaluation", {})]
    for table, metric, unit in (
        ("Greedy accuracy, %", "accuracy", 100),
        ("Steps a solution", "steps", 1),
        ("Answered solutions, %", "answered", 100),
    ):
        for split in splits:
            sides = before["evaluation"][split], after["evaluation"][split]
            if all(metric in side for side in sides):  # a revision of an earlier version may lack one
                yield _row(table, prefix + split, sides, metric, unit, known.get((split, metric)))
    for section, table, metrics in (
        (JUDGE, "Judge on held-out pairs, %", {"judge_accuracy": 100, "consistency": 100, "unreadable": 100}),
        ("scale", "Step search at evaluation, %", {"accuracy": 100, "gain": 100, "over_majority": 100}),
        ("search", "Search of the round", {"problems": 1, "states": 1, "candidates_per_state": 1, "consistency": 1}),
        ("pairs", "Pairs of the round", {"pairs": 1, "problems": 1, "terminal": 1, "tokens_per_pair": 1}),
        ("dpo", "Step-wise DPO", {"reward_accuracy": 1, "reward_margin": 1, "last_loss": 1}),
    ):
        sides = before.get(section, {}), after.get(section, {})
        for metric, unit in metrics.items():
            if all(side.get(metric) is not None for side in sides):
                yield _row(table, prefix + metric, sides, metric, unit, known.get((section, metric)))


def _row(
    table: str, name: str, sides: tuple[dict[str, Any], dict[str, Any]], metric: str, unit: float, change: Change | None
) -> Row:
    one, two = (_error(side, metric) for side in sides)
    unpaired = None if one is None or two is None else math.hypot(one, two)
    error = change[1] if change else unpaired
    return Row(table, name, sides[0][metric], sides[1][metric], (one, two, error), unit, change is not None)


def _error(values: dict[str, Any], metric: str) -> float | None:
    """The standard error that stands beside a metric; of a share among `problems`, the binomial one."""
    if metric == "answered":
        return math.sqrt(values[metric] * (1 - values[metric]) / values["problems"])
    return values.get(f"{metric}_se")
