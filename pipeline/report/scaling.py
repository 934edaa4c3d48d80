"""Test-time scaling: the table, and the curves of accuracy against tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.report.chart import Chart, Point, Series
from pipeline.report.grid import Cell, Grid, Table, amount, grid, measured, number, percent, words
from pipeline.report.metrics import Metrics


def table(metrics: Metrics, paper: Grid) -> Table:
    """Step search, majority vote and greedy decoding of each model that was searched at evaluation."""
    rows = [_row(model, stats["scale"]) for model, stats in metrics.items() if "scale" in stats]
    header = [
        "model", "problems", "greedy", "step search", "majority", "search − greedy", "search − majority",
        "greedy tokens", "search tokens", "of them judging", "majority tokens", "votes",
    ]  # fmt: skip
    note = (
        "Step search at inference, the model's own judgments picking each step, against its greedy answers to the same "
        "problems and against the majority vote of whole solutions, sampled until they have spent the tokens of the "
        "search of that problem; percent right with one standard error, differences paired. Tokens: sampled ones, of a "
        "problem; of them judging: percent. Reading prompts is not counted, which favours the search. Answers vote "
        "together where they are equal without algebra."
    )
    return Table("5-9-scaling", "Tables 5 and 9. Test-time scaling", note, grid(header, rows), paper)


def _row(model: str, scale: Mapping[str, Any]) -> list[Cell]:
    tokens, votes = scale["tokens"], scale["majority"]["1"]
    return [
        words(model),
        number(scale["problems"]),
        *(measured(scale, name) for name in ("greedy_accuracy", "accuracy", "majority_accuracy")),
        *(measured(scale, name, "+") for name in ("gain", "over_majority")),
        *(amount(tokens, name) for name in ("greedy", "search")),
        percent(tokens["judgments"] / tokens["search"]),
        amount(votes, "tokens"),
        amount(votes, "samples", 1),
    ]


def curves(metrics: Metrics) -> list[Chart]:
    """Accuracy against tokens of each such model: greedy, the search, and the vote at shares of the search's tokens."""
    return [_curve(model, stats["scale"]) for model, stats in metrics.items() if "scale" in stats]


def _curve(model: str, scale: Mapping[str, Any]) -> Chart:
    def point(tokens: float, values: Mapping[str, Any], name: str, label: str = "") -> Point:
        return Point(tokens, 100 * values[name], label, 100 * values[f"{name}_se"])

    votes = sorted(scale["majority"].items(), key=lambda item: item[1]["tokens"])
    series = (
        Series("majority vote", tuple(point(vote["tokens"], vote, "accuracy", share) for share, vote in votes)),
        Series("step search", (point(scale["tokens"]["search"], scale, "accuracy"),)),
        Series("greedy", (point(scale["tokens"]["greedy"], scale, "greedy_accuracy"),)),
    )
    return Chart(f"{model}: accuracy against tokens", "sampled tokens a problem", "accuracy, %", series, steps=False)
