"""Preference pairs of a round (PPD).

PSRLM: (problem, steps so far, best step, worst step) of every judged state. SRLM: the whole solutions with the highest
and the lowest score of every problem.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from pipeline.core.files import content, counts, quantiles
from pipeline.core.params import Pairs, SolutionPairs
from pipeline.core.records import Dropped, Preference, SampledSolution, SampleSet, State, Tree


def preferences(trees: Iterable[Tree], settings: Pairs, iteration: str) -> tuple[list[Preference], list[Dropped]]:
    """Pairs of all trees in order of problem and step, and every state that gave none, with its reason.

    Reasons: the state's outcome where that is no `step`, `rolled_back`, `gap`, and `disputed` (its best step does not
    win all of its comparisons, with `beats_all`).
    """
    kept: list[Preference] = []
    dropped: list[Dropped] = []
    for tree in trees:
        for index, state in enumerate(tree.states):
            reason = _reason(state, settings)
            if reason is None:
                kept.append(_preference(tree, state, iteration))
            else:
                text = state.candidates[state.best or 0].text if state.candidates else ""
                dropped.append(Dropped("pairs", f"{tree.problem_id}/{index}", reason, text))
    return kept, dropped


def _reason(state: State, settings: Pairs) -> str | None:
    """Why a state gives no pair, or None if it does."""
    if state.discarded:
        return "rolled_back"
    if state.outcome != "step":
        return state.outcome
    assert state.best is not None and state.worst is not None
    gap = state.candidates[state.best].score - state.candidates[state.worst].score
    if gap < settings.min_gap:
        return "gap"
    others = sum(candidate.finish == "step" for candidate in state.candidates) - 1
    return "disputed" if settings.beats_all and state.candidates[state.best].score < others else None


def _preference(tree: Tree, state: State, iteration: str) -> Preference:
    assert state.best is not None and state.worst is not None
    chosen, rejected = state.candidates[state.best], state.candidates[state.worst]
    return Preference(
        problem_id=tree.problem_id,
        step_index=len(state.steps) + 1,
        prompt=tree.prompt,
        steps=state.steps,
        chosen=chosen.text,
        rejected=rejected.text,
        chosen_terminal=chosen.terminal,
        rejected_terminal=rejected.terminal,
        chosen_score=chosen.score,
        rejected_score=rejected.score,
        iteration=iteration,
    )


def agreeing(
    found: Sequence[Preference], margins: Sequence[float], iteration: str
) -> tuple[list[Preference], list[Dropped]]:
    """Pairs on which a second reward agrees (its margin is above zero), and the others, dropped as `disagrees`."""
    kept: list[Preference] = []
    dropped: list[Dropped] = []
    for pair, margin in zip(found, margins, strict=True):
        if margin > 0:
            kept.append(replace(pair, iteration=iteration))
        else:
            dropped.append(Dropped("pairs", f"{pair.problem_id}/{pair.step_index}", "disagrees", f"{margin:.4f}"))
    return kept, dropped


def solution_preferences(
    samples: Iterable[SampleSet], settings: SolutionPairs, iteration: str
) -> tuple[list[Preference], list[Dropped]]:
    """One pair a problem, highest against lowest score, and every problem that gave none with its reason.

    Equal scores are ordered by votes. Reasons: `single` (fewer than two distinct solutions that ended), `unscored`
    (fewer than two of them have a readable score), `tie`, `gap`.
    """
    kept: list[Preference] = []
    dropped: list[Dropped] = []
    for one in samples:
        ended = [solution for solution in one.solutions if solution.ended]
        order = sorted((s for s in ended if s.score is not None), key=lambda s: (s.score, s.votes))
        reason = "single" if len(ended) < 2 else "unscored" if len(order) < 2 else _gap(order[-1], order[0], settings)
        if reason is None:
            kept.append(_solution_preference(one, order[-1], order[0], iteration))
        else:
            dropped.append(Dropped("pairs", one.problem_id, reason, ended[0].text if ended else ""))
    return kept, dropped


def _gap(best: SampledSolution, worst: SampledSolution, settings: SolutionPairs) -> str | None:
    gap = (best.score or 0.0) - (worst.score or 0.0)
    return "tie" if gap == 0 else "gap" if gap < settings.min_gap else None


def _solution_preference(
    one: SampleSet, chosen: SampledSolution, rejected: SampledSolution, iteration: str
) -> Preference:
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
