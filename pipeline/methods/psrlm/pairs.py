"""Preference pairs of a round (PPD): (problem, steps so far, best step, worst step) of every judged state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.core import files
from pipeline.core.records import Dropped, Preference, State, Tree
from pipeline.methods.psrlm.settings import FILE, Pairs


def preferences(folder: Path, settings: Pairs, iteration: str) -> Iterator[Preference | Dropped]:
    """Pairs and drops of a search's folder, see `of_trees`; a batch of trees is held at a time."""
    return of_trees(files.rows(folder / FILE, Tree, 64, "verdicts"), settings, iteration)


def of_trees(trees: Iterable[Tree], settings: Pairs, iteration: str) -> Iterator[Preference | Dropped]:
    """Pairs of all trees in order of problem and visit, and every state that gave none, with its reason.

    Reasons: the state's outcome where that is no `step`, `rolled_back`, `gap`, and `disputed` (its best step does not
    win all of its comparisons, with `require_condorcet_winner`).
    """
    for tree in trees:
        for index, state in enumerate(tree.states):
            reason = _reason(state, settings)
            if reason is None:
                yield _preference(tree, state, iteration)
            else:
                text = state.candidates[state.best or 0].text if state.candidates else ""
                yield Dropped("pairs", f"{tree.problem_id}/{index}", reason, text)


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
    if not settings.require_condorcet_winner:
        return None
    others = sum(candidate.usable for candidate in state.candidates) - 1
    return "disputed" if state.candidates[state.best].score < others else None


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
