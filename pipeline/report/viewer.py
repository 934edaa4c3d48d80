"""The tree viewer's data and the judge's heat map."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core.records import State, Tree
from pipeline.report.metrics import Metrics

BYTES = 3_000_000  # of all trees in a page; long solutions of large models would make it too heavy for a phone


def embedded(trees: Mapping[str, Sequence[Tree]], metrics: Metrics) -> list[dict[str, Any]]:
    """The rounds with as many of their trees, in the order given, as an equal share of `BYTES` holds.

    searched: how many problems the round searched in all.
    """
    rounds = []
    for model, found in trees.items():
        room, shown = BYTES // len(trees), []
        for tree in found:
            value = _tree(tree)
            room -= len(json.dumps(value, ensure_ascii=False).encode())
            if room < 0:
                break
            shown.append(value)
        verdicts = metrics[model]["verdicts"]
        rounds.append({"model": model, "judge": verdicts["judge"], "searched": verdicts["trees"], "trees": shown})
    return rounds


def _tree(tree: Tree) -> dict[str, Any]:
    return {"id": tree.problem_id, "prompt": tree.prompt, "end": tree.end, "states": [_state(s) for s in tree.states]}


def _state(state: State) -> dict[str, Any]:
    """The steps before a state follow from the states before it, so that their number is enough."""
    return {**dataclasses.asdict(state), "steps": len(state.steps)}


@dataclass(frozen=True)
class HeatRow:
    """Shares of the verdicts on one step: A, B, tie, unreadable; count: verdicts."""

    step: str
    count: int
    shares: tuple[float, float, float, float]


@dataclass(frozen=True)
class Heat:
    """How the judge of one round decides, by the number of the judged step.

    Where every pair is shown in both orders, a judge without position bias names A and B equally often.
    """

    judge: str
    model: str
    rows: tuple[HeatRow, ...]


def heat_maps(metrics: Metrics) -> list[Heat]:
    """One map a round."""
    maps = []
    for model, found in metrics.items():
        if (verdicts := found.get("verdicts")) and verdicts["by_step"]:
            rows = []
            for step, counts in verdicts["by_step"].items():
                total = sum(counts.values())
                a, b, c, unreadable = (counts.get(name, 0) / total for name in ("A", "B", "C", "unreadable"))
                rows.append(HeatRow(step.lstrip("0"), total, (a, b, c, unreadable)))
            maps.append(Heat(verdicts["judge"], model, tuple(rows)))
    return maps
