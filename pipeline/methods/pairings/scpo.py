"""Self-consistency preference pairs (ScPO: Prasad et al. 2024, arXiv 2411.04109): no judge, no gold answer.

Of a problem's whole solutions the one with the most voted final answer is set against one with a least voted answer.
As in the paper a problem counts only where at least half of its solutions agree. Not done: the paper weights each
pair's loss by the margin of votes, and makes new problems; here each pair counts once, the problems are the round's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from pipeline.core import files
from pipeline.core.command import Stage
from pipeline.core.records import Dropped, Preference, Problem, SampleSet
from pipeline.domains.graders import same_as
from pipeline.domains.graders.pool import Graders
from pipeline.methods.pairings import solutions
from pipeline.methods.pairings.solutions import FILE
from pipeline.methods.pairings.solutions import cost as cost
from pipeline.methods.srlm.cost import expected_pairs as expected_pairs

BY = "start"  # the second model: the one that searched
PER_PROBLEM = True
LEAST = 0.5  # share of a problem's solutions that the most voted answer needs


def pairs(
    stage: Stage, final: ModuleType, grading: ModuleType
) -> tuple[list[Preference], list[Dropped], dict[str, Any]]:
    """The pairs of the variant, what was left out, and no further statistics."""
    problems = files.read(stage.problems, Problem)
    with Graders(grading) as graders:
        alike = {problem.problem_id: graders.alike(problem) for problem in problems}
    samples = [voted(one, final, alike[one.problem_id]) for one in solutions.sampled(stage, final, problems)]
    files.write(stage.pairs / FILE, SampleSet, samples)
    return *of_votes(samples, stage.key), {}


def voted(one: SampleSet, final: ModuleType, alike: Callable[[str, str], bool]) -> SampleSet:
    """The solutions scored by the votes for their final answer; none for one that ends without an answer.

    alike: whether two answers count as one, of the problem's grader; each is compared with the first of its kind.
    """
    votes: dict[str, int] = {}
    kinds: list[str | None] = []
    for solution in one.solutions:
        if (kind := solutions.answer(final, solution)) is not None:
            kind = same_as(kind, votes, alike)
            votes[kind] = votes.get(kind, 0) + solution.votes
        kinds.append(kind)
    return solutions.scored(one, [None if kind is None else float(votes[kind]) for kind in kinds])


def of_votes(samples: Sequence[SampleSet], iteration: str) -> tuple[list[Preference], list[Dropped]]:
    """Most votes against fewest, one pair a problem, and every problem that gave none with its reason.

    Reasons: those of `solutions.of_scores` (`tie`: all answers have equally many votes), and `minority`.
    """
    kept, dropped = solutions.of_scores(samples, iteration)
    drawn = {one.problem_id: sum(solution.votes for solution in one.solutions) for one in samples}
    few = {pair.problem_id: pair.chosen for pair in kept if pair.chosen_score < LEAST * drawn[pair.problem_id]}
    dropped += [Dropped("scpo", problem_id, "minority", chosen) for problem_id, chosen in few.items()]
    return [pair for pair in kept if pair.problem_id not in few], dropped
