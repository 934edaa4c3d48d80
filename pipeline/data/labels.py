"""Labelled steps of any origin: which problems are held out to measure the process reward model, and what there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.files import content, counts
from pipeline.core.records import Dropped, LabelledSolution, Problem

_PARTS = 10  # one of them is held out


def parted(rows: Sequence[LabelledSolution]) -> dict[str, list[LabelledSolution]]:
    """Rows to `train` on and rows to measure with (`test`): those of every tenth problem."""
    held_out = set(list(dict.fromkeys(row.problem_id for row in rows))[::_PARTS])
    return {
        "train": [row for row in rows if row.problem_id not in held_out],
        "test": [row for row in rows if row.problem_id in held_out],
    }


def statistics(
    problems: Sequence[Problem], rows: Sequence[LabelledSolution], dropped: Sequence[Dropped]
) -> dict[str, Any]:
    """Problems, solutions, steps and the share of right ones. Raises PipelineError where too few are left."""
    reasons = counts([row.reason for row in dropped])
    if len({row.problem_id for row in rows}) < 2:
        why = ", ".join(f"{reason} {count}" for reason, count in reasons.items()) or "none was drawn"
        raise PipelineError(
            f"prm_data: fewer than two of {len(problems)} problems have a labelled solution ({why}), one to train on "
            "and one to measure with; give more problems, or other prm.labels"
        )
    labels = [label for row in rows for label in row.labels]
    return {
        "problems": len(problems),
        "solutions": len(rows),
        "steps": len(labels),
        "content": content(rows),
        "right": sum(labels) / len(labels),
        **({"dropped": reasons} if reasons else {}),
    }
