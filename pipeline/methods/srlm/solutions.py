"""SRLM's round: whole solutions sampled to a problem, each scored by the model itself (Yuan et al. 2024).

One generator a problem; the engine's event loop interleaves them. Equal solutions are merged and scored once.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

from pipeline.core.files import counts
from pipeline.core.params import Sampling, SolutionSearch
from pipeline.core.records import Problem, SampledSolution, SampleSet
from pipeline.inference import Completion, Request, seed_of
from pipeline.language import prompts, steps
from pipeline.methods.srlm import scoring

Asking = Generator[list[Request], list[Completion], SampleSet]


def sample(tokenizer: Any, family: str, problem: Problem, count: int, sampling: Sampling, seed: int) -> Asking:
    """`count` whole solutions of one problem, equal ones merged, unscored."""
    question = prompts.fill(family, "reasoning", problem=problem.prompt)
    ids = tuple(steps.prompt_ids(tokenizer, question, ()))
    answers = yield [
        Request(
            ids,
            sampling.max_tokens,
            sampling.temperature,
            sampling.top_p,
            seed=seed_of(seed, problem.problem_id, "solution", number),
        )
        for number in range(count)
    ]
    found: dict[tuple[str, str], SampledSolution] = {}
    for answer in answers:
        text, finish = answer.text.strip(), _finish(answer)
        before = found.get((text, finish), SampledSolution(text, 0, finish, (), None))
        found[text, finish] = replace(before, votes=before.votes + 1)
    return SampleSet(problem.problem_id, problem.prompt, tuple(found.values()))


def _finish(answer: Completion) -> str:
    if not answer.ended:
        return answer.finish
    return "answer" if steps.is_answer(answer.text) else "no_answer"


def search(tokenizer: Any, family: str, problem: Problem, settings: SolutionSearch, seed: int) -> Asking:
    """Sample solutions of one problem and let the model score each that ended."""
    samples = yield from sample(tokenizer, family, problem, settings.samples, settings.sampling, seed)
    ended = [solution for solution in samples.solutions if solution.ended]
    special = tokenizer.all_special_tokens
    shown = [scoring.prompt(family, problem.prompt, solution.text, special) for solution in ended]
    place = seed_of(seed, problem.problem_id)
    judged = dict(zip(ended, (yield from scoring.score(tokenizer, shown, settings.scorer, place)), strict=True))
    solutions = []
    for solution in samples.solutions:
        scorings = judged.get(solution, ())
        solutions.append(replace(solution, scorings=scorings, score=scoring.mean(scorings)))
    return replace(samples, solutions=tuple(solutions))


def statistics(samples: Sequence[SampleSet]) -> dict[str, Any]:
    """What was sampled and how it was scored. states: problems, each the one state of its search.

    consistency: share of the solutions scored more than once whose scores are all readable and equal.
    """
    found = [solution for one in samples for solution in one.solutions]
    scorings = [scored for solution in found for scored in solution.scorings]
    agreeing = [
        len({scored.score for scored in solution.scorings}) == 1 and solution.score is not None
        for solution in found
        if len(solution.scorings) > 1
    ]
    return {
        "problems": len(samples),
        "states": len(samples),
        "ends": counts([solution.finish for solution in found for _ in range(solution.votes)]),
        "candidates_per_state": len(found) / len(samples),
        "verdicts": len(scorings),
        "scores": counts([str(scored.score) for scored in scorings if scored.score is not None]),
        "unreadable": sum(scored.score is None for scored in scorings),
        "consistency": sum(agreeing) / len(agreeing) if agreeing else None,
    }


def too_long(samples: SampleSet) -> bool:
    """Whether the bare prompt did not fit the engine's context."""
    return all(solution.finish == "context" for solution in samples.solutions)
