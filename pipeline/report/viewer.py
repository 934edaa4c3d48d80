"""The tree viewer's data and the judge's heat map."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.core.records import Tree
from pipeline.report.metrics import Metrics

BYTES = 3_000_000  # of all trees in a page; long solutions of large models would make it too heavy for a phone


def embedded(trees: Mapping[str, Sequence[Tree]], metrics: Metrics) -> list[dict[str, Any]]:
    """The rounds with as many of their trees, in the order given, as an equal share of `BYTES` holds.

    searched: how many problems the round searched in all.
    """
    rounds = []
    for model, sample in trees.items():
        left, shown = BYTES // len(trees), []
        for tree in sample:
            value = _tree(tree)
            left -= len(json.dumps(value, ensure_ascii=False).encode())
            if left < 0:
                break
            shown.append(value)
        verdicts = metrics[model]["verdicts"]
        rounds.append({"model": model, "judge": verdicts["judge"], "searched": verdicts["trees"], "trees": shown})
    return rounds


def _tree(tree: Tree) -> dict[str, Any]:
    """The steps before a state follow from the states before it, so that their number is enough."""
    states = [{**dataclasses.asdict(state), "steps": len(state.steps)} for state in tree.states]
    return {"id": tree.problem_id, "prompt": tree.prompt, "end": tree.end, "states": states}


def heat_maps(metrics: Metrics) -> list[dict[str, Any]]:
    """How the judge of each round decides: the shares of A, B, tie and unreadable verdicts by the judged step's number.

    Where every pair is shown in both orders, a judge without position bias names A and B equally often.
    """
    maps = []
    for model, stats in metrics.items():
        if (verdicts := stats.get("verdicts")) and verdicts["by_step"]:
            rows = []
            for step, counts in verdicts["by_step"].items():
                total = sum(counts.values())
                shares = [counts.get(name, 0) / total for name in ("A", "B", "C", "unreadable")]
                rows.append({"step": step.lstrip("0"), "total": total, "shares": shares})
            maps.append({"judge": verdicts["judge"], "model": model, "rows": rows})
    return maps
