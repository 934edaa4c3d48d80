"""SRLM's round: whole solutions sampled to a problem, each scored by the model itself (Yuan et al. 2024).

One generator a problem; the engine's event loop interleaves them. Equal solutions are merged and scored once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pipeline.core.config import Sampling
from pipeline.core.files import counts
from pipeline.core.means import entropy
from pipeline.core.records import Problem, SampledSolution, SampleSet
from pipeline.inference.requests import Completion, Task, samples, seed_of, with_marker
from pipeline.language.renderer import Renderer
from pipeline.methods.srlm import scoring
from pipeline.methods.srlm.settings import FILE as FILE
from pipeline.methods.srlm.settings import Search

Row = SampleSet


def sample(renderer: Renderer, problem: Problem, count: int, sampling: Sampling, seed: int) -> Task[SampleSet]:
    """`count` whole solutions of one problem, equal ones merged, unscored."""
    ids = renderer.reasoning(problem.prompt)
    answers = yield samples(renderer, ids, sampling, count, seed_of(seed, problem.problem_id, "solution"))
    distinct: dict[tuple[str, str], SampledSolution] = {}
    for answer in (with_marker(1, answer) for answer in answers):
        text, finish = answer.text.strip(), _finish(renderer, answer)
        before = distinct.get((text, finish), SampledSolution(text, 0, finish, (), None))
        distinct[text, finish] = replace(before, votes=before.votes + 1, tokens=before.tokens + answer.tokens)
    return SampleSet(problem.problem_id, problem.prompt, tuple(distinct.values()))


def _finish(renderer: Renderer, answer: Completion) -> str:
    if not answer.ended:
        return answer.finish
    return "no_answer" if renderer.answer_end(answer.text) is None else "answer"


def search(renderer: Renderer, problem: Problem, settings: Search, seed: int) -> Task[SampleSet]:
    """Sample solutions of one problem and let the model score each that ended."""
    drawn = yield from sample(renderer, problem, settings.samples, settings.sampling, seed)
    ended = [solution for solution in drawn.solutions if solution.ended]
    shown = [scoring.prompt(renderer.family, problem.prompt, one.text, renderer.special) for one in ended]
    scorings = yield from scoring.score(renderer, shown, settings.scorer, seed_of(seed, problem.problem_id))
    judged = dict(zip(ended, scorings, strict=True))
    of_all = [(one, judged.get(one, ())) for one in drawn.solutions]
    return replace(drawn, solutions=tuple(replace(one, scorings=own, score=scoring.mean(own)) for one, own in of_all))


def statistics(samples: Sequence[SampleSet]) -> dict[str, Any]:
    """What was sampled and how it was scored. states: problems, each the one state of its search.

    consistency: share of the solutions scored more than once whose scores are all readable and equal. single and
    no_choice: share of the problems with fewer than two distinct solutions that ended; tied: of those with two scored
    ones or more, those with one score alone. entropy: of the scores, in bits.
    """
    solutions = [solution for one in samples for solution in one.solutions]
    scorings = [scored for solution in solutions for scored in solution.scorings]
    judging = sum(scored.tokens for scored in scorings)
    often = [solution for solution in solutions if len(solution.scorings) > 1]
    agreeing = [one.score is not None and len({scored.score for scored in one.scorings}) == 1 for one in often]
    ended = [[solution.score for solution in one.solutions if solution.ended] for one in samples]
    several = [read for scores in ended if len(read := [score for score in scores if score is not None]) > 1]
    given = counts([str(scored.score) for scored in scorings if scored.score is not None])
    single = sum(len(scores) < 2 for scores in ended) / len(samples)
    return {
        "problems": len(samples),
        "states": len(samples),
        "ends": counts([solution.finish for solution in solutions for _ in range(solution.votes)]),
        "candidates": len(solutions),
        "unusable": counts([solution.finish for solution in solutions if not solution.ended]),
        "candidates_per_state": len(solutions) / len(samples),
        "sampled_tokens": sum(solution.tokens for solution in solutions) + judging,
        "judge_tokens": judging,
        "judge_calls": sum(scored.tokens > 0 for scored in scorings),
        "verdicts": len(scorings),
        "scores": given,
        "unreadable": sum(scored.score is None for scored in scorings),
        "unreadable_because": counts([str(scoring.read(s.text)) for s in scorings if s.score is None]),
        "consistency": sum(agreeing) / len(agreeing) if agreeing else None,
        "entropy": entropy(given.values()),
        "single": single,
        "no_choice": single,
        "tied": sum(len(set(scores)) == 1 for scores in several) / len(several) if several else None,
    }


def too_long(samples: SampleSet) -> bool:
    """Whether the bare prompt did not fit the engine's context."""
    return all(solution.finish == "context" for solution in samples.solutions)
