"""Whole-solution pairs from step-search trees, so that outcome-wise and step-wise DPO learn from the same search.

A tree holds one finished solution; what was rejected on the way are single steps. So each step pair of the round
becomes a pair of whole solutions: the search's own from the pair's state on, against the rejected step completed
greedily by the model that searched. The steps before the state belong to both and cancel in the DPO loss. Problems,
states and the number of comparisons stay those of step-wise DPO; only the credit goes to whole solutions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.core.records import Dropped, Preference, Tree
from pipeline.inference import Completion, Request, Task
from pipeline.language import boxes, prompts, steps


def key(pair: Preference) -> str:
    """A pair's name within its round."""
    return f"{pair.problem_id}/{pair.step_index}"


def completions(
    tokenizer: Any, family: str, pairs: Sequence[Preference], max_tokens: int
) -> dict[str, Task[Completion]]:
    """A task for each pair: the rejected step, which is not the last one, completed greedily."""
    return {key(pair): _complete(tokenizer, family, pair, max_tokens) for pair in pairs if not pair.rejected_terminal}


def _complete(tokenizer: Any, family: str, pair: Preference, max_tokens: int) -> Task[Completion]:
    question = prompts.fill(family, "reasoning", problem=pair.prompt)
    ids = tuple(steps.prompt_ids(tokenizer, question, (*pair.steps, pair.rejected)))
    (completion,) = yield [Request(ids, max_tokens)]
    return completion


def preferences(
    pairs: Sequence[Preference], trees: Sequence[Tree], completed: Mapping[str, Completion], iteration: str
) -> tuple[list[Preference], list[Dropped]]:
    """A pair of whole solutions for each step pair, and each that gave none with its reason.

    completed: what follows the rejected step, by the pair's key; nothing where that step was the last. Reasons:
    `unfinished` (the search found no boxed answer), `length` or `context` (the completion did not end), `same_answer`
    (both box the same answer, so the outcome does not tell them apart).
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
        elif boxes.boxed(chosen) == boxes.boxed(rejected):
            reason = "same_answer"
        else:
            kept.append(
                replace(
                    pair,
                    chosen=chosen,
                    rejected=rejected,
                    chosen_terminal=True,
                    rejected_terminal=True,
                    iteration=iteration,
                )
            )
            continue
        dropped.append(Dropped("outcome", key(pair), reason, rejected))
    return kept, dropped
