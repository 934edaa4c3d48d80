"""Statistics of a round's preference pairs, whatever made them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pipeline.core.files import content, counts, quantiles
from pipeline.core.records import Dropped, Preference


def statistics(kept: Sequence[Preference], dropped: Sequence[Dropped]) -> dict[str, Any]:
    """Numbers of pairs, their spread over problems and steps, score gaps, and the reasons of the drops."""
    gaps = [pair.chosen_score - pair.rejected_score for pair in kept]
    return {
        "pairs": len(kept),
        "content": content(kept),
        "pairs_of_a_problem": quantiles(Counter(pair.problem_id for pair in kept).values()),
        "gap": quantiles(gaps),
        "problems": len({pair.problem_id for pair in kept}),
        "terminal": sum(pair.chosen_terminal for pair in kept),
        "by_step": counts([f"{pair.step_index:02d}" for pair in kept]),
        "by_gap": counts([f"{gap:.3g}" for gap in gaps]),
        "dropped": counts([row.reason for row in dropped]),
    }
