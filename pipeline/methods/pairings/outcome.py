"""Whole-solution pairs from step-search trees, so that outcome-wise and step-wise DPO learn from the same search.

A tree holds one finished solution; what was rejected on the way are single steps. So each step pair of the round
becomes a pair of whole solutions: the search's own from the pair's state on, against the rejected step completed
greedily by the model that searched. The steps before the state belong to both and cancel in the DPO loss. Problems,
states and the number of comparisons stay those of step-wise DPO; only the credit goes to whole solutions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

from pipeline.core import files
from pipeline.core.command import Stage
from pipeline.core.config import Section
from pipeline.core.records import Dropped, Preference, Tree
from pipeline.core.workload import Sizes, Work, requests
from pipeline.inference import work
from pipeline.inference.requests import Completion, Request, Task, with_marker
from pipeline.inference.settings import Evaluate
from pipeline.language import steps
from pipeline.language.renderer import Renderer
from pipeline.methods.preferences import key
from pipeline.methods.psrlm import cost as step_cost
from pipeline.methods.psrlm.settings import FILE, Settings
from pipeline.methods.srlm.cost import tokens_of_pair

BY = "start"  # the second model: the one that searched
NEEDS_STEPS = True


def cost(settings: Section, sizes: Sizes) -> Work:
    """What is asked for one pair: the rejected step completed, from the middle of a solution."""
    return requests(1, sizes.prompt("reasoning") + sizes.problem + sizes.prefix + sizes.step, sizes.solution / 2)


def expected_pairs(settings: Settings, sizes: Sizes, iteration: int) -> tuple[float, float]:
    """Pairs of one problem, as many as of steps, and tokens of each in training: whole solutions."""
    number, _ = step_cost.expected_pairs(settings, sizes, iteration)
    return number, tokens_of_pair(sizes)


def pairs(
    stage: Stage, final: ModuleType, grading: ModuleType
) -> tuple[list[Preference], list[Dropped], dict[str, Any]]:
    """The pairs of the variant, what was left out, and no further statistics."""
    rows = files.read(stage.judged / "train.parquet", Preference)
    trees = files.read(stage.trees / FILE, Tree)
    cap = stage.section("evaluate", Evaluate).max_tokens
    models, depends_on = {"policy": stage.second}, (cap, stage.judged)
    completed = work.results(stage, models, lambda r: completions(r, rows, cap), Completion, depends_on)
    return *preferences(rows, trees, completed, final, stage.key), {}


def completions(renderer: Renderer, pairs: Sequence[Preference], max_tokens: int) -> dict[str, Task[Completion]]:
    """A task for each pair: the rejected step, which is not the last one, completed greedily."""
    return {key(pair): _complete(renderer, pair, max_tokens) for pair in pairs if not pair.rejected_terminal}


def _complete(renderer: Renderer, pair: Preference, max_tokens: int) -> Task[Completion]:
    ids = renderer.reasoning(pair.prompt, (*pair.steps, pair.rejected))
    (completion,) = yield [Request(tuple(ids), max_tokens, ends=renderer.ends)]
    return with_marker(len(pair.steps) + 2, completion)


def preferences(
    pairs: Sequence[Preference],
    trees: Sequence[Tree],
    completed: Mapping[str, Completion],
    final: ModuleType,
    iteration: str,
) -> tuple[list[Preference], list[Dropped]]:
    """A pair of whole solutions for each step pair, and each that gave none with its reason.

    completed: what follows the rejected step, by the pair's key; nothing where that step was the last. Reasons:
    `unfinished` (the search ended without an answer), `length` or `context` (the completion did not end), `same_answer`
    (both give the same one, so the outcome does not tell them apart).
    """
    solutions = {tree.problem_id: tree for tree in trees}
    kept: list[Preference] = []
    dropped: list[Dropped] = []
    for pair in pairs:
        tree, rest = solutions[pair.problem_id], completed.get(key(pair))
        chosen = steps.join(tree.steps[len(pair.steps) :])
        rejected = steps.join([pair.rejected, rest.text.strip()]) if rest else pair.rejected
        if tree.end != "answer":
            reason = "unfinished"
        elif rest and not rest.ended:
            reason = rest.finish
        elif _stated(final, chosen) == _stated(final, rejected):
            reason = "same_answer"
        else:
            ended = replace(pair, chosen_terminal=True, rejected_terminal=True, iteration=iteration)
            kept.append(replace(ended, chosen=chosen, rejected=rejected))
            continue
        dropped.append(Dropped("outcome", key(pair), reason, rejected))
    return kept, dropped


def _stated(final: ModuleType, solution: str) -> str | None:
    """The final answer of a solution that marks one (`final`: of the domain)."""
    return None if final.end(solution) is None else final.read(solution)
