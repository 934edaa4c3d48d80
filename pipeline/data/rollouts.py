"""Step labels without people: a step is right if the policy, going on from it, reaches the gold answer.

The recipe of Math-Shepherd (arXiv 2312.08935, section 3.3): solutions are sampled, and from each of their steps some
continuations; `hard` calls a step right if one of them reaches the gold answer, `soft` takes their share. The last step
is as right as its own answer. A share is made a label by a draw of its own, which gives in expectation the
cross-entropy with the share, and leaves the training as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from pipeline.core.records import Dropped, Grade, LabelledSolution, Problem
from pipeline.domains.graders.pool import Graders
from pipeline.inference.requests import Completion, Task, samples, seed_of, with_marker
from pipeline.language import steps
from pipeline.language.renderer import Renderer
from pipeline.training.settings import Rollouts

_UNIT = 2**63  # seeds lie below


@dataclass(frozen=True)
class Continued:
    """Steps from the first on, and the final answers of what was sampled after them (None: it gave none).

    A whole solution has one, its own.
    """

    steps: tuple[str, ...]
    whole: bool
    answers: tuple[str | None, ...]


@dataclass(frozen=True)
class RolledOut:
    """All solutions of one problem and all beginnings of them, each once; unusable: why other samples are none."""

    problem_id: str
    prompt: str
    paths: tuple[Continued, ...]
    unusable: tuple[str, ...]


@dataclass(frozen=True)
class RolloutStep:
    """One labelled step: after which steps, the share of continuations that reach the gold answer, and of how many."""

    problem_id: str
    steps: tuple[str, ...]
    share: float
    continuations: int
    right: bool


def tasks(
    renderer: Renderer, problems: Sequence[Problem], final: ModuleType, settings: Rollouts, seed: int
) -> dict[str, Task[RolledOut]]:
    """The task of each problem with a gold answer, by its id. final: of the domain."""
    return {p.problem_id: _roll_out(renderer, p, final, settings, seed) for p in problems if p.answer}


def _roll_out(
    renderer: Renderer, problem: Problem, final: ModuleType, settings: Rollouts, seed: int
) -> Task[RolledOut]:
    """Solutions of one problem, and continuations from each of their steps but the last."""
    how, count = settings.sampling, settings.continuations
    place = seed_of(seed, problem.problem_id, "solutions")
    answers = yield samples(renderer, renderer.reasoning(problem.prompt), how, settings.solutions, place)
    solutions: dict[tuple[str, ...], str | None] = {}
    unusable = []
    for answer in answers:
        solution, answered = _solution(answer, final)
        if isinstance(solution, str):
            unusable.append(solution)
        else:
            solutions[solution] = answered
    begun = list(dict.fromkeys(solution[:end] for solution in solutions for end in range(1, len(solution))))
    requests = []
    for before in begun:
        place = seed_of(seed, problem.problem_id, *before)
        requests += samples(renderer, renderer.reasoning(problem.prompt, before), how, count, place)
    rest = iter((yield requests))
    paths = [Continued(solution, True, (answered,)) for solution, answered in solutions.items()]
    for before in begun:
        some = [with_marker(len(before) + 1, next(rest)) for _ in range(count)]
        paths.append(Continued(before, False, tuple(_answer(completion, final) for completion in some)))
    return RolledOut(problem.problem_id, problem.prompt, tuple(paths), tuple(unusable))


def _solution(answer: Completion, final: ModuleType) -> tuple[tuple[str, ...] | str, str | None]:
    """The steps of a sampled solution and its answer, or why it is none: `length`, `context`, `no_steps`, ..."""
    text = with_marker(1, answer).text
    end = final.end(text)
    if end is None:
        return (answer.finish if answer.finish != "stop" else "no_final_answer"), None
    try:
        return tuple(steps.split(text[:end])), final.read(text[:end])
    except ValueError:
        return "no_steps", None


def _answer(completion: Completion, final: ModuleType) -> str | None:
    end = final.end(completion.text)
    return None if end is None else final.read(completion.text[:end])


def labelled(
    problems: Sequence[Problem], rolled: Mapping[str, RolledOut], graders: Graders, settings: Rollouts, seed: int
) -> tuple[list[LabelledSolution], list[RolloutStep], list[Dropped]]:
    """PRM rows, the estimate of each step, and what gave none.

    rolled: by problem_id. graders: open. Reasons of drops: `no_answer` (the problem has no gold), and of
    samples `length`, `context`, `no_final_answer`, `no_steps`.
    """
    by_id = {problem.problem_id: problem for problem in problems}
    dropped = [Dropped("prm_data", key, "no_answer", "") for key, problem in by_id.items() if not problem.answer]
    pairs = [(by_id[row.problem_id], a) for row in rolled.values() for path in row.paths for a in path.answers]
    grades = iter(graders.grade([problem for problem, _ in pairs], [answer for _, answer in pairs]))
    rows, estimates = list[LabelledSolution](), list[RolloutStep]()
    for row in rolled.values():
        dropped += [Dropped("prm_data", row.problem_id, reason, "") for reason in row.unusable]
        right: dict[tuple[str, ...], bool] = {}
        for path in row.paths:
            share = sum(next(grades) == Grade.RIGHT for _ in path.answers) / len(path.answers)
            place = seed_of(seed, "label", row.prompt, *path.steps)
            right[path.steps] = share > 0 if settings.estimate == "hard" else place < share * _UNIT
            estimates.append(RolloutStep(row.problem_id, path.steps, share, len(path.answers), right[path.steps]))
        for whole in (path.steps for path in row.paths if path.whole):
            labels = tuple(right[whole[: end + 1]] for end in range(len(whole)))
            rows.append(LabelledSolution(row.problem_id, row.prompt, whole, labels))
    return rows, estimates, dropped


def statistics(estimates: Sequence[RolloutStep]) -> dict[str, Any]:
    """How many final answers labelled the steps, and the share of steps from which some reach the gold, but not all."""
    divided = sum(0 < one.share < 1 for one in estimates)
    return {
        "answers": sum(one.continuations for one in estimates),
        "divided": divided / len(estimates) if estimates else None,
    }
