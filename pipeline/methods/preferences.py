"""What becomes of a round's preference pairs, whatever made them: files, and statistics of any number of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.core import files
from pipeline.core.files import Content, counts, quantiles
from pipeline.core.products import SEARCHED, Shares, nothing_left, require_share
from pipeline.core.records import Dropped, Preference, SecondRanking

PairOrDrop = Preference | Dropped
_COSTS = {
    "tokens_per_pair": "sampled_tokens",
    "judge_tokens_per_pair": "judge_tokens",
    "judge_calls_per_pair": "judge_calls",
}


def key(pair: Preference | SecondRanking) -> str:
    """A pair's name within its round."""
    return f"{pair.problem_id}/{pair.step_index}"


class Statistics:
    """Numbers of pairs, their spread over problems and steps, score gaps, and the reasons of the drops."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self._content = Content()
        self._terminal = 0
        self.problems: Counter[str] = Counter()
        self._steps: Counter[int] = Counter()
        self._gaps: Counter[float] = Counter()

    def add(self, row: PairOrDrop) -> None:
        """One more pair or drop."""
        if isinstance(row, Dropped):
            self.reasons[row.reason] += 1
            return
        self._content.add(row)
        self._terminal += row.chosen_terminal
        self.problems[row.problem_id] += 1
        self._steps[row.step_index] += 1
        self._gaps[row.chosen_score - row.rejected_score] += 1

    def values(self) -> dict[str, Any]:
        """The statistics of all that was added."""
        return {
            "pairs": self.problems.total(),
            "content": self._content.digest(),
            "pairs_of_a_problem": quantiles(self.problems.values()),
            "gap": quantiles(self._gaps.elements()),
            "problems": len(self.problems),
            "terminal": self._terminal,
            "by_step": {f"{step:02d}": count for step, count in sorted(self._steps.items())},
            "by_gap": counts(f"{gap:.3g}" for gap in self._gaps.elements()),
            "dropped": dict(sorted(self.reasons.items())),
        }


def write(
    stage: str, rows: Iterable[PairOrDrop], pairs: Path, dropped: Path, shares: Shares | None = None
) -> dict[str, Any]:
    """Write pairs and drops as they come, none is held, and return their statistics.

    Raises PipelineError, and writes nothing, where something was dropped and no pair is left, or where fewer problems
    have a pair than `shares` says.
    """
    statistics, first, without = Statistics(), None, set[str]()
    with files.writing(pairs / "train.parquet", Preference) as kept, files.writing(dropped, Dropped) as left_out:
        for row in rows:
            statistics.add(row)
            if isinstance(row, Preference):
                kept.add(row)
            else:
                left_out.add(row)
                first = first or row
                without.add(row.key.partition("/")[0])
        if shares:
            searched = len(without | statistics.problems.keys())
            require_share(stage, shares, "pairs", len(statistics.problems), searched, statistics.reasons, first)
        if first and not kept.count:
            raise nothing_left(stage, statistics.reasons, first, SEARCHED)
    return statistics.values()


def cost_of_a_pair(searched: Mapping[str, int], pairs: int) -> dict[str, float | None]:
    """Sampled tokens, those of judgments, and judge calls for each kept pair, from the statistics of its search.

    None without pairs, and for what the method's statistics do not count.
    """
    return {name: searched[of] / pairs if pairs and of in searched else None for name, of in _COSTS.items()}


def statistics(rows: Iterable[PairOrDrop]) -> dict[str, Any]:
    """Statistics of pairs and drops that are written elsewhere."""
    gathered = Statistics()
    for row in rows:
        gathered.add(row)
    return gathered.values()
