"""Preference pairs weighted by how far two judges agree (CREAM: Wang et al. 2024, arXiv 2410.12735).

The model before the one that searched judges the candidates of each pair's state again, from the same prompts. The
agreement of the two rankings is the pair's consistency C: training takes C of the pair's DPO loss and 1 - C of the
swapped pair's, so that 1/2 teaches next to no preference and less the opposite one.

The paper gives every pair the mean of the data set's C, against the noise of single ones; its code has this form too.
Each pair keeps its own C here, since a common one smooths all labels alike and cannot tell a pair that both judges see
from one that only the later judge sees. The price is that noise: of two candidates, C can only be 0, 1/2 or 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

from scipy.stats import kendalltau

from pipeline.core import files
from pipeline.core.command import Stage
from pipeline.core.files import counts
from pipeline.core.means import grouped, named, ratio_and_error
from pipeline.core.records import Dropped, Preference, SecondRanking, State, Tree
from pipeline.core.workload import Sizes, Work
from pipeline.inference import work
from pipeline.inference.requests import Task, seed_of
from pipeline.language.renderer import Renderer
from pipeline.methods.preferences import key
from pipeline.methods.psrlm import cost as step_cost
from pipeline.methods.psrlm import judge
from pipeline.methods.psrlm.settings import FILE, Judge, Search, Settings

BY = "before"  # the second model: the one that the searching model was trained from
NEEDS_STEPS = True
NEEDS_ALL_VERDICTS = True  # of the search: wins of all candidates are compared


def cost(settings: Settings, sizes: Sizes) -> Work:
    """What is asked for one pair: the second judge's verdicts on the candidates of its state, as in the search."""
    return step_cost.cost_of_verdicts(settings, sizes)


def pairs(
    stage: Stage, final: ModuleType, grading: ModuleType
) -> tuple[list[Preference], list[Dropped], dict[str, Any]]:
    """The pairs of the variant, nothing left out, and how far the two judges agree; keeps `rankings.parquet`."""
    of = stage.plan.variants[stage.key].of
    judge = stage.section("psrlm.search", Search, **stage.plan.override(of, "search")).judge
    rows = files.read(stage.judged / "train.parquet", Preference)
    trees = files.read(stage.trees / FILE, Tree)
    rankings = work.results(
        stage,
        {"policy": stage.second},
        lambda r: second_rankings(r, rows, trees, judge, stage.seed),
        SecondRanking,
        depends_on=(judge, stage.seed, stage.judged, stage.trees),
    )
    files.write(stage.pairs / "rankings.parquet", SecondRanking, rankings.values())
    return weighted(rows, rankings, stage.key), [], statistics(rankings)


def second_rankings(
    renderer: Renderer, pairs: Sequence[Preference], trees: Sequence[Tree], settings: Judge, seed: int
) -> dict[str, Task[SecondRanking]]:
    """A task for each step pair: the usable candidates of its state, judged again.

    settings and seed: those of the search, so that the second judge reads the same prompts in the same orders.
    """
    states = {
        f"{tree.problem_id}/{len(state.steps) + 1}": (state, seed_of(seed, tree.problem_id, len(state.steps), visit))
        for tree in trees
        for visit, state in enumerate(tree.states)
        if state.outcome == "step" and not state.discarded
    }
    return {key(pair): _rank(renderer, pair, *states[key(pair)], settings) for pair in pairs}


def _rank(renderer: Renderer, pair: Preference, state: State, seed: int, settings: Judge) -> Task[SecondRanking]:
    usable = [candidate for candidate in state.candidates if candidate.usable]
    texts, scores = tuple(c.text for c in usable), tuple(c.score for c in usable)
    second = yield from judge.rank(renderer, pair.prompt, state.steps, texts, settings, seed)
    agreement = consistency(scores, second.scores)
    return SecondRanking(pair.problem_id, pair.step_index, texts, scores, second.scores, second.verdicts, agreement)


def consistency(first: Sequence[float], second: Sequence[float]) -> float:
    """Agreement of two judges' scores of the same candidates: (tau + 1) / 2, with Kendall's tau-b.

    Candidates tied by both judges count for nothing, those tied by one of them lower |tau|; 1: the same ranking, ties
    included; 0: the reverse. A judge that ties all candidates has no ranking: 1/2.
    """
    if len(set(first)) == 1 or len(set(second)) == 1:
        return 0.5
    return float((kendalltau(first, second).statistic + 1) / 2)


def weighted(pairs: Sequence[Preference], rankings: Mapping[str, SecondRanking], iteration: str) -> list[Preference]:
    """The same pairs, each with the consistency of its state."""
    return [replace(pair, consistency=rankings[key(pair)].consistency, iteration=iteration) for pair in pairs]


def statistics(by_pair: Mapping[str, SecondRanking]) -> dict[str, Any]:
    """Mean consistency with its standard error (problems are the units: states of one share steps), its distribution
    in tenths, pairs whose candidates the second judge all ties, and its verdicts."""
    rankings = list(by_pair.values())
    verdicts = [verdict for ranking in rankings for verdict in ranking.verdicts]
    by_problem = grouped(rankings, lambda ranking: ranking.problem_id).values()
    sums, sizes = [sum(one.consistency for one in some) for some in by_problem], list(map(len, by_problem))
    return {
        **named("consistency", ratio_and_error(sums, sizes) if rankings else (None, None)),
        "by_consistency": counts([f"{ranking.consistency:.1f}" for ranking in rankings]),
        "all_tied": sum(len(set(ranking.second_scores)) == 1 for ranking in rankings),
        "verdicts": len(verdicts),
        "unreadable": sum(verdict.winner is None for verdict in verdicts),
    }
