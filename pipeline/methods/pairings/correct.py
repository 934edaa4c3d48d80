"""Outcome-correct whole solutions against outcome-wrong ones, by gold answers: an upper reference, not self-rewarding.

The variant must say `gold: true` in params.yaml; its problems alone come with answers, and its name in the report and
on its model card says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from pipeline.core import files
from pipeline.core.command import Stage
from pipeline.core.records import Dropped, Grade, Preference, Problem, SampleSet
from pipeline.domains.graders.pool import Graders
from pipeline.methods.pairings import solutions
from pipeline.methods.pairings.solutions import FILE
from pipeline.methods.pairings.solutions import cost as cost
from pipeline.methods.srlm.cost import expected_pairs as expected_pairs

BY = "start"  # the second model: the one that searched
GOLD = True
PER_PROBLEM = True
_SCORES = {Grade.RIGHT: 1.0, Grade.WRONG: 0.0}


def pairs(
    stage: Stage, final: ModuleType, grading: ModuleType
) -> tuple[list[Preference], list[Dropped], dict[str, Any]]:
    """The pairs of the variant, what was left out, and how many samples were right; keeps `solutions.parquet`.

    Reasons: `single` and `unscored` as in an SRLM round, `tie` (all right or all wrong).
    """
    problems = files.read(stage.problems, Problem)
    with Graders(grading) as graders:
        samples = graded(solutions.sampled(stage, final, problems), problems, final, graders)
    files.write(stage.pairs / FILE, SampleSet, samples)
    return *solutions.of_scores(samples, stage.key), statistics(samples)


def graded(
    samples: Sequence[SampleSet], problems: Sequence[Problem], final: ModuleType, graders: Graders
) -> list[SampleSet]:
    """The solutions scored 1 where they are right and 0 where wrong.

    None for one without an answer, one that could not be graded, and where the problem has no gold answer.
    """
    known = {problem.problem_id: problem for problem in problems}
    of = [known[one.problem_id] for one in samples for _ in one.solutions]
    answers = [solutions.answer(final, solution) for one in samples for solution in one.solutions]
    grades = graders.grade(of, answers)
    scores = iter(_SCORES.get(grade) if one.answer else None for one, grade in zip(of, grades, strict=True))
    return [solutions.scored(one, [next(scores) for _ in one.solutions]) for one in samples]


def statistics(samples: Sequence[SampleSet]) -> dict[str, Any]:
    """Samples, and how many of them are right."""
    drawn = [solution for one in samples for solution in one.solutions]
    right = sum(solution.votes for solution in drawn if solution.score == 1)
    return {"samples": sum(solution.votes for solution in drawn), "right": right}
