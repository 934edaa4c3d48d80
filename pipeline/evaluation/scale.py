"""Test-time scaling: accuracy against tokens spent, by step search and by a majority vote of whole solutions.

Beside each search stands what a user would do instead with the same tokens (Wang et al. 2023, self-consistency): sample
whole solutions and take the answer that most of them give. Tokens are those sampled; what prompts cost is not counted,
which favours the search, whose judge reads long ones.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from pipeline.core.config import Sampling
from pipeline.core.files import counts
from pipeline.core.means import grouped, mean_and_error, named, proportion
from pipeline.core.records import Answered, Problem, Tree
from pipeline.domains.graders import same_as
from pipeline.domains.graders.pool import Graders
from pipeline.evaluation.evaluate import graded, right
from pipeline.inference.requests import Completion, Task, samples, seed_of, with_marker
from pipeline.language import steps
from pipeline.language.renderer import Renderer

Alike = Callable[[str, str], bool]
SHARES = {"1/8": 1 / 8, "1/4": 1 / 4, "1/2": 1 / 2, "1": 1.0}  # of the search's tokens, at which votes are counted


@dataclass(frozen=True)
class Trial:
    """The search of one problem, and the whole solutions sampled for as many tokens, in their order."""

    tree: Tree
    solutions: tuple[Completion, ...]


def first_of_each_split(problems: Sequence[Problem], count: int) -> list[Problem]:
    """The first `count` problems of every split."""
    chosen: list[Problem] = []
    for split in dict.fromkeys(problem.split for problem in problems):
        chosen += [problem for problem in problems if problem.split == split][:count]
    return chosen


def trials(
    renderer: Renderer,
    problems: Sequence[Problem],
    searching: Callable[[Problem], Task[Tree]],
    sampling: Sampling,
    seed: int,
) -> dict[str, Task[Trial]]:
    """One task a problem: search it, then sample whole solutions until they have spent the tokens of its search.

    At least one is sampled, and the last one may overrun: the vote has a little more than the search, never less.
    """

    def trial(problem: Problem) -> Task[Trial]:
        tree = yield from searching(problem)
        left, solved = sum(tree.spent()), list[Completion]()
        ids, place = renderer.reasoning(problem.prompt), seed_of(seed, problem.problem_id, "majority")
        while not solved or left > 0:
            surely = max(1, math.ceil(left / sampling.max_tokens))  # will be taken, however long each is
            drawn = yield samples(renderer, ids, sampling, surely, place + len(solved))
            if drawn[0].finish == "context":  # nothing was run, and nothing ever will be
                return Trial(tree, (drawn[0],))
            solved += [with_marker(1, solution) for solution in drawn]
            left -= sum(solution.tokens for solution in drawn)
        return Trial(tree, tuple(solved))

    return {problem.problem_id: trial(problem) for problem in problems}


def solutions(problems: Sequence[Problem], trials: Mapping[str, Trial]) -> tuple[list[Problem], list[Completion]]:
    """The sampled solutions of all trials in the order of the problems, after the problem of each."""
    pairs = [(problem, solution) for problem in problems for solution in trials[problem.problem_id].solutions]
    return [problem for problem, _ in pairs], [solution for _, solution in pairs]


def search_answers(
    problems: Sequence[Problem], trees: Sequence[Tree], final: ModuleType, graders: Graders
) -> list[Answered]:
    """Graded results of step searches at evaluation, each with the tokens of its whole search."""
    by_problem = {tree.problem_id: tree for tree in trees}
    ordered = [by_problem[problem.problem_id] for problem in problems]
    searched = [(steps.join(tree.steps), tree.steps, tree.end, sum(tree.spent())) for tree in ordered]
    return graded(problems, searched, final, graders)


def majority(votes: Sequence[Answered], alike: Alike) -> Answered:
    """The first of the solutions whose answer most of them give; of equally many, the answer that came first.

    Answers are the same as the grader's `alike` sees it; each is compared with the first of its kind. A solution
    without an answer has no vote; if none has one, the first solution stands for them.
    """
    kinds: dict[str, list[Answered]] = {}
    for vote in votes:
        if vote.answer is not None:
            kinds.setdefault(same_as(vote.answer, kinds, alike), []).append(vote)
    return max(kinds.values(), key=len)[0] if kinds else votes[0]


def affordable(votes: Sequence[Answered], tokens: float) -> list[Answered]:
    """The first solutions that together spend `tokens`, as `trials` counts: at least one, the last may overrun."""
    before = itertools.accumulate((vote.tokens for vote in votes[:-1]), initial=0)
    return [vote for vote, spent_by_then in zip(votes, before, strict=True) if spent_by_then < max(tokens, 1)]


def against_greedy(searched: Sequence[Answered], greedy: Sequence[Answered]) -> dict[str, Any]:
    """Accuracy of searched answers beside the greedy ones to the same problems, and the paired difference."""
    before = _same_problems(searched, greedy)
    return {
        "problems": len(searched),
        **_accuracy("", searched),
        **_accuracy("greedy_", before),
        **_difference("gain", searched, before),
        "ends": counts(row.end for row in searched),
    }


def _same_problems(searched: Sequence[Answered], greedy: Sequence[Answered]) -> list[Answered]:
    by_problem = {row.problem_id: row for row in greedy}
    return [by_problem[row.problem_id] for row in searched]


def comparison(
    trees: Sequence[Tree],
    searched: Sequence[Answered],
    votes: Sequence[Answered],
    greedy: Sequence[Answered],
    alike: Mapping[str, Alike],
) -> dict[str, Any]:
    """Step search, majority vote at equal tokens and greedy decoding on the same problems, differences paired.

    votes: the sampled solutions, those of one problem in their order. tokens and samples: means of a problem. majority:
    the vote at each of SHARES of the search's tokens, counted from the first of the same samples. alike: by problem_id.
    """
    by_problem = grouped(votes, lambda vote: vote.problem_id)
    before = _same_problems(searched, greedy)
    shares, voted = {}, list[Answered]()
    for name, share in SHARES.items():
        bought = [affordable(by_problem[row.problem_id], share * row.tokens) for row in searched]
        voted = [majority(some, alike[some[0].problem_id]) for some in bought]
        tokens = [sum(vote.tokens for vote in some) for some in bought]
        shares[name] = _mean("samples", list(map(len, bought))) | _mean("tokens", tokens) | _accuracy("", voted)
    candidates, judgments = zip(*(tree.spent() for tree in trees), strict=True)
    return {
        **against_greedy(searched, greedy),
        **_accuracy("majority_", voted),
        **_difference("majority_gain", voted, before),
        **_difference("over_majority", searched, voted),
        "majority": shares,
        "tokens": {
            **_mean("greedy", [row.tokens for row in before]),
            **_mean("search", [row.tokens for row in searched]),
            **_mean("candidates", candidates),
            **_mean("judgments", judgments),
        },
    }


def _accuracy(prefix: str, rows: Sequence[Answered]) -> dict[str, float]:
    return named(f"{prefix}accuracy", proportion(right(rows)))


def _difference(name: str, after: Sequence[Answered], before: Sequence[Answered]) -> dict[str, float]:
    return _mean(name, [int(new) - int(old) for new, old in zip(right(after), right(before), strict=True)])


def _mean(name: str, values: Sequence[float]) -> dict[str, float]:
    return named(name, mean_and_error(values))
