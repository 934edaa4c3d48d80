"""Preference pairs of a round: the whole solutions with the highest and the lowest score of every problem."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.core import files
from pipeline.core.records import Dropped, Preference, SampledSolution, SampleSet
from pipeline.methods.srlm.settings import FILE, Pairs


def preferences(folder: Path, settings: Pairs, iteration: str) -> Iterator[Preference | Dropped]:
    """Pairs and drops of a search's folder, see `of_samples`; a batch of problems is held at a time."""
    return of_samples(files.rows(folder / FILE, SampleSet, size=64), settings, iteration)


def of_samples(samples: Iterable[SampleSet], settings: Pairs, iteration: str) -> Iterator[Preference | Dropped]:
    """One pair a problem, highest against lowest score, and every problem that gave none with its reason.

    Equal scores are ordered by votes. Reasons: `single` (fewer than two distinct solutions that ended), `unscored`
    (fewer than two of them have a readable score), `tie`, `gap`.
    """
    for one in samples:
        ended = [solution for solution in one.solutions if solution.ended]
        order = sorted((s for s in ended if s.score is not None), key=lambda s: (s.score, s.votes))
        reason = "single" if len(ended) < 2 else "unscored" if len(order) < 2 else _gap(order[-1], order[0], settings)
        if reason is None:
            yield _preference(one, order[-1], order[0], iteration)
        else:
            yield Dropped("pairs", one.problem_id, reason, ended[0].text if ended else "")


def _gap(best: SampledSolution, worst: SampledSolution, settings: Pairs) -> str | None:
    gap = (best.score or 0.0) - (worst.score or 0.0)
    return "tie" if gap == 0 else "gap" if gap < settings.min_gap else None


def _preference(one: SampleSet, chosen: SampledSolution, rejected: SampledSolution, iteration: str) -> Preference:
    assert chosen.score is not None and rejected.score is not None
    return Preference(
        problem_id=one.problem_id,
        step_index=1,
        prompt=one.prompt,
        steps=(),
        chosen=chosen.text,
        rejected=rejected.text,
        chosen_terminal=True,
        rejected_terminal=True,
        chosen_score=chosen.score,
        rejected_score=rejected.score,
        iteration=iteration,
    )
