"""A model as a scorer of held-out whole solutions: agreement with the annotator, order, consistency."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core.means import grouped, mean_and_error, named, proportion, ratio_and_error
from pipeline.core.records import ScoredSolution
from pipeline.inference.requests import Task, seed_of
from pipeline.language.renderer import Renderer
from pipeline.methods.srlm import scoring
from pipeline.methods.srlm.settings import Search


@dataclass(frozen=True)
class Estimate:
    """A model's judgments of one held-out solution beside the annotator's score."""

    solution_id: str
    problem_id: str
    score: int
    scorings: scoring.Scorings


def task(
    renderer: Renderer, row: ScoredSolution, examples: Sequence[ScoredSolution], settings: Search, seed: int
) -> Task[Estimate]:
    """Score one held-out solution."""
    family = renderer.family
    text = scoring.few_shot(family, examples, scoring.prompt(family, row.prompt, row.solution, renderer.special))
    (scorings,) = yield from scoring.score(renderer, [text], settings.scorer, seed_of(seed, row.solution_id))
    return Estimate(row.solution_id, row.problem_id, row.score, scorings)


Held, Row = ScoredSolution, Estimate


def key(row: ScoredSolution) -> str:
    """A held-out row's own key."""
    return row.solution_id


def quality(estimates: Sequence[Estimate]) -> dict[str, Any]:
    """Quality of a model that scores whole solutions, against the annotator's scores (compare paper, table 6).

    score_accuracy: share of single judgments that give the annotator's score. order_accuracy: over two solutions of one
    problem with different scores, share whose mean scores have the annotator's order; problems are the units of its
    error, since a solution stands in several pairs. consistency: share of solutions whose judgments all give one score.
    An unreadable judgment counts against all three, and one whose prompt did not fit the context (`too_long`). error:
    mean distance of a readable score, in points. verdicts: the scores of every solution in their order (`?`: none),
    which the report compares with another scorer's.
    """
    agree = [[scored.score == e.score for scored in e.scorings] for e in estimates]
    same = [len({s.score for s in e.scorings}) == 1 and e.scorings[0].score is not None for e in estimates]
    ordered = _ordered(estimates)
    pairs = [len(one) for one in ordered]
    order = ratio_and_error([sum(one) for one in ordered], pairs) if ordered else (None, None)
    scorings = [s for e in estimates for s in e.scorings]
    read = [abs(s.score - e.score) for e in estimates for s in e.scorings if s.score is not None]
    too_long = sum(s.score is None and not s.tokens for s in scorings)  # what is asked samples a token at least
    return {
        "solutions": len(estimates),
        **named("score_accuracy", mean_and_error([sum(hits) / len(hits) for hits in agree])),
        **named("order_accuracy", order),
        "ordered_pairs": sum(pairs),
        **named("consistency", proportion(same)),
        "error": sum(read) / len(read) if read else None,
        "unreadable": 1 - (len(read) + too_long) / len(scorings),
        "too_long": too_long / len(scorings),
        "verdicts": " ".join("".join("?" if s.score is None else str(s.score) for s in e.scorings) for e in estimates),
    }


def _ordered(estimates: Sequence[Estimate]) -> list[list[bool]]:
    """By problem, for each two solutions that the annotator scored differently: whether the model's means agree."""
    agreeing = []
    for of_one in grouped(estimates, lambda estimate: estimate.problem_id).values():
        means = [(e.score, scoring.mean(e.scorings)) for e in sorted(of_one, key=lambda e: e.score)]
        ordered = [(low, high) for low, high in itertools.combinations(means, 2) if low[0] < high[0]]
        agreeing.append([low[1] is not None and high[1] is not None and low[1] < high[1] for low, high in ordered])
    return [one for one in agreeing if one]
