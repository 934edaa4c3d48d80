"""Accuracy of one model, greedy and averaged over samples, and its quality as a judge, with standard errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from pipeline.core import files
from pipeline.core.config import Sampling
from pipeline.core.errors import PipelineError
from pipeline.core.means import grouped, mean_and_error, named, proportion, ratio_and_error
from pipeline.core.records import Answered, Grade, Problem
from pipeline.domains.graders.pool import Graders
from pipeline.inference.requests import Completion, Task, sampled, seed_of, with_marker
from pipeline.inference.settings import Average, Evaluate
from pipeline.language import steps
from pipeline.language.renderer import Renderer


def greedy(settings: Evaluate) -> Sampling:
    """How the solution is decoded that counts for accuracy."""
    return Sampling(temperature=0.0, top_p=1.0, max_tokens=settings.max_tokens)


def draws(problems: Sequence[Problem], average: Average) -> dict[str, Problem]:
    """The samples that avg@k takes: a key of each and its problem; none where no split is averaged.

    Raises PipelineError for a split that has no problem.
    """
    splits = {problem.split for problem in problems}
    for split in average.splits:
        if split not in splits:
            known = ", ".join(sorted(splits))
            raise PipelineError(f"evaluate.average.splits: no evaluation problem is in {split!r}; give some of {known}")
    chosen = [problem for problem in problems if problem.split in average.splits]
    return {f"{p.problem_id} sample {number}": p for p in chosen for number in range(average.samples)}


def solve(renderer: Renderer, problem: Problem, sampling: Sampling, seed: int = 0) -> Task[Completion]:
    """One whole solution of one problem; its first marker is given."""
    (completion,) = yield [sampled(renderer, renderer.reasoning(problem.prompt), sampling, seed)]
    return with_marker(1, completion)


def tasks(
    renderer: Renderer, problems: Sequence[Problem], drawn: Mapping[str, Problem], settings: Evaluate, seed: int
) -> dict[str, Task[Completion]]:
    """The greedy solution of every problem, by its id, and the samples `drawn`, by their keys."""
    once = {p.problem_id: solve(renderer, p, greedy(settings)) for p in problems}
    sampling = settings.average.sampling
    often = {key: solve(renderer, p, sampling, seed_of(seed, key)) for key, p in drawn.items()}
    return once | often


def write(
    problems: Sequence[Problem],
    drawn: Mapping[str, Problem],
    completions: Mapping[str, Completion],
    domain: tuple[ModuleType, ModuleType],
    folder: Path,
    stats: Path,
) -> None:
    """Grade every problem's greedy solution and every drawn sample, and write both with their statistics.

    completions: by key, as of `tasks`. domain: its parts `final` and `grading`. folder: for `answers.parquet` and
    `samples.parquet`.
    """
    final, grading = domain
    with Graders(grading) as graders:
        rows = answered(problems, [completions[problem.problem_id] for problem in problems], final, graders)
        samples = answered(list(drawn.values()), [completions[key] for key in drawn], final, graders)
    files.write(folder / "answers.parquet", Answered, rows)
    files.write(folder / "samples.parquet", Answered, samples)
    files.write_json(stats, accuracy(rows, samples, {problem.split: problem.grader for problem in problems}))


def answered(
    problems: Sequence[Problem], completions: Sequence[Completion], final: ModuleType, graders: Graders
) -> list[Answered]:
    """Graded solutions; a solution that is not in `Step n: ` form keeps its text as one step.

    end: `answer` (a final answer, then the sequence ended), `runs_on` (one, not ended), `no_answer` (ended without
    one), or why the sequence did not end (`length`, `context`).
    """
    solutions = [(one.text, steps.parts(one.text), _end(one, final), one.tokens) for one in completions]
    return graded(problems, solutions, final, graders)


def _end(completion: Completion, final: ModuleType) -> str:
    if final.end(completion.text) is not None:
        return "answer" if completion.ended else "runs_on"
    return "no_answer" if completion.ended else completion.finish


def graded(
    problems: Sequence[Problem],
    solutions: Sequence[tuple[str, tuple[str, ...], str, int]],
    final: ModuleType,
    graders: Graders,
) -> list[Answered]:
    """A row of each problem with its graded solution. solutions: the text with the answer, steps, end and tokens."""
    answers = [final.read(text) for text, *_ in solutions]
    rows = zip(problems, solutions, answers, graders.grade(problems, answers), strict=True)
    return [
        Answered(p.problem_id, p.split, p.prompt, parts, end, answer, p.answer or "", grade.value, tokens)
        for p, (_, parts, end, tokens), answer, grade in rows
    ]


def accuracy(
    rows: Sequence[Answered],
    samples: Sequence[Answered] = (),
    graders: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Accuracy, steps a solution and characters a step with standard errors, by split and pooled; how solutions end.

    samples: graded ones of some splits, equally many a problem; these splits get `sampled`, the avg@k. graders: of each
    split; where they differ, `graders` has the same of all splits of one grader (`domain`: the domain's own).
    """
    result: dict[str, Any] = {split: _summary(part) for split, part in grouped(rows, lambda r: r.split).items()}
    for split, part in grouped(samples, lambda row: row.split).items():
        # avg@k: the mean over problems of the share of their samples that is right
        by_problem = grouped(part, lambda row: row.problem_id).values()
        shares = [sum(right(some)) / len(some) for some in by_problem]
        result[split]["sampled"] = {"samples": len(part) // len(shares), **named("accuracy", mean_and_error(shares))}
    result["pooled"] = _summary(rows)
    if len(set(graders.values())) > 1:
        parts = grouped(rows, lambda row: graders[row.split])
        result["graders"] = {name or "domain": _summary(part) for name, part in sorted(parts.items())}
    return result


def _summary(rows: Sequence[Answered]) -> dict[str, Any]:
    lengths = [len(row.steps) for row in rows]
    characters = [sum(len(steps.body(step)) for step in row.steps) for row in rows]
    return {
        "problems": len(rows),
        **named("accuracy", proportion(right(rows))),
        "answered": sum(row.end == "answer" for row in rows) / len(rows),
        "unreadable": sum(row.grade in (Grade.UNREADABLE, Grade.TIMEOUT) for row in rows) / len(rows),
        **named("steps", mean_and_error(lengths)),
        **named("step_characters", ratio_and_error(characters, lengths)),
    }


def right(rows: Sequence[Answered]) -> list[bool]:
    """Which of the answers are right."""
    return [row.grade == Grade.RIGHT for row in rows]


def too_long(completion: Completion) -> bool:
    """Whether the prompt did not fit the engine's context."""
    return completion.finish == "context"
