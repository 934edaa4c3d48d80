"""A model as a judge of held-out pairs of steps: accuracy, consistency under swapped order, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.core.means import proportion
from pipeline.core.records import JudgedPair
from pipeline.inference.requests import Task
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm.calibration import Weighed, calibration, weigh
from pipeline.methods.psrlm.judge import Opinion
from pipeline.methods.psrlm.settings import RATED, Search
from pipeline.methods.verdicts import turned

Held, Row = JudgedPair, Weighed


def key(row: JudgedPair) -> str:
    """A held-out row's own key."""
    return row.pair_id


def task(
    renderer: Renderer, row: JudgedPair, examples: Sequence[JudgedPair], settings: Search, seed: int
) -> Task[Weighed]:
    """Judge one held-out pair in both orders, after worked examples."""
    return weigh(renderer, row, examples, settings.judge)


def quality(found: Sequence[Weighed]) -> dict[str, Any]:
    """Quality on all held-out pairs, its calibration, and apart the quality on pairs that people rated.

    verdicts: both of every pair in their order (`?`: unreadable), which the report compares with another judge's.
    """
    result = judge_quality(found) | {"calibration": calibration(found)}
    result["verdicts"] = " ".join(f"{o.straight or '?'}{o.swapped or '?'}" for o in found)
    rated = [opinion for opinion in found if opinion.pair_id.startswith(RATED)]
    return result | ({"human": judge_quality(rated)} if rated else {})


def judge_quality(opinions: Sequence[Opinion]) -> dict[str, Any]:
    """Accuracy of the judge on held-out pairs as shown (paper, table 3) and swapped, and its consistency.

    An unreadable verdict counts as wrong and as inconsistent, a tie as wrong. Consistency: both orders name the same
    candidate, or both a tie.
    """
    mean, error = proportion([o.straight == o.winner for o in opinions])
    swapped, _ = proportion([turned(o.swapped) == o.winner for o in opinions])
    readable = [o for o in opinions if o.straight and o.swapped]
    agree, agree_error = proportion([o.straight is not None and o.straight == turned(o.swapped) for o in opinions])
    return {
        "pairs": len(opinions),
        "judge_accuracy": mean,
        "judge_accuracy_se": error,
        "judge_accuracy_swapped": swapped,
        "consistency": agree,
        "consistency_se": agree_error,
        "ties": sum(o.straight == "C" for o in opinions) / len(opinions),
        "unreadable": 1 - len(readable) / len(opinions),
    }
