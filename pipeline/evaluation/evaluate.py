"""Accuracy of one model, greedy and averaged over samples, and its quality as a judge, with standard errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from pipeline.core import files
from pipeline.core.config import Sampling
from pipeline.core.errors import PipelineError
from pipeline.core.means import mean_and_error, proportion, ratio_and_error
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
    found: Mapping[str, Completion],
    domain: tuple[ModuleType, ModuleType],
    folder: Path,
    stats: Path,
) -> None:
    """Grade every problem's greedy solution and every drawn sample, and write both with their statistics.

    found: the completions by key, as of `tasks`. domain: its parts `final` and `grading`. folder: for `answers.parquet`
    and `samples.parquet`.
    """
    final, grading = domain
    with Graders(grading) as graders:
        rows = answered(problems, [found[problem.problem_id] for problem in problems], final, graders)
        samples = answered(list(drawn.values()), [found[key] for key in drawn], final, graders)
    files.write(folder / "answers.parquet", Answered, rows)
    files.write(folder / "samples.parquet", Answered, samples)
    files.write_json(stats, accuracy(rows, samples, {problem.split: problem.grader for problem in problems}))


def answered(
    problems: Sequence[Problem], completions: Sequence[Completion], final: ModuleType, graders: Graders
) -> list[Answered]:
    """Graded solutions; a solution that is not in `Step n: ` form keeps its text as one step.

    end: `answer` (boxed, then the sequence ended), `runs_on` (boxed, not ended), `no_answer` (ended without a box), or
    why the sequence did not end (`length`, `context`).
    """
    extracted = [final.read(completion.text) for completion in completions]
    grades = graders.grade(problems, extracted)
    return [
        Answered(
            problem.problem_id,
            problem.split,
            problem.prompt,
            steps.parts(completion.text),
            _end(completion, final),
            answer,
            problem.answer or "",
            grade.value,
            completion.tokens,
        )
        for problem, completion, answer, grade in zip(problems, completions, extracted, grades, strict=True)
    ]


def _end(completion: Completion, final: ModuleType) -> str:
    if final.end(completion.text) is not None:
        return "answer" if completion.ended else "runs_on"
    return "no_answer" if completion.ended else completion.finish


def accuracy(
    rows: Sequence[Answered],
    samples: Sequence[Answered] = (),
    graders: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Accuracy, steps a solution and characters a step with standard errors, by split and pooled; how solutions end.

    samples: graded ones of some splits, equally many a problem; these splits get `sampled`, the avg@k. graders: of each
    split; where they differ, `graders` has the same of all splits of one grader (`domain`: the domain's own).
    """
    result: dict[str, Any] = {split: _summary(found) for split, found in _by_split(rows).items()}
    for split, found in _by_split(samples).items():
        result[split]["sampled"] = _sampled(found)
    result["pooled"] = _summary(rows)
    if len(names := sorted(set(graders.values()))) > 1:
        parts = {name: [row for row in rows if graders[row.split] == name] for name in names}
        result["graders"] = {name or "domain": _summary(found) for name, found in parts.items()}
    return result


def _by_split(rows: Sequence[Answered]) -> dict[str, list[Answered]]:
    found: dict[str, list[Answered]] = {}
    for row in sorted(rows, key=lambda row: row.split):
        found.setdefault(row.split, []).append(row)
    return found


def _sampled(rows: Sequence[Answered]) -> dict[str, Any]:
    """avg@k: the mean over problems of the share of their samples that is right; the error is over problems."""
    right: dict[str, list[bool]] = {}
    for row in rows:
        right.setdefault(row.problem_id, []).append(row.grade == Grade.RIGHT)
    mean, error = mean_and_error([sum(hits) / len(hits) for hits in right.values()])
    return {"samples": len(rows) // len(right), "accuracy": mean, "accuracy_se": error}


def _summary(rows: Sequence[Answered]) -> dict[str, Any]:
    count = len(rows)
    mean, error = proportion([row.grade == Grade.RIGHT for row in rows])
    solutions = [row.steps for row in rows]
    length, length_error = mean_and_error([len(solution) for solution in solutions])
    characters = [sum(len(steps.body(step)) for step in solution) for solution in solutions]
    per_step, per_step_error = ratio_and_error(characters, [len(solution) for solution in solutions])
    return {
        "problems": count,
        "accuracy": mean,
        "accuracy_se": error,
        "boxed": sum(row.end == "answer" for row in rows) / count,
        "unreadable": sum(row.grade in (Grade.UNREADABLE, Grade.TIMEOUT) for row in rows) / count,
        "steps": length,
        "steps_se": length_error,
        "step_characters": per_step,
        "step_characters_se": per_step_error,
    }


def too_long(completion: Completion) -> bool:
    """Whether the prompt did not fit the engine's context."""
    return completion.finish == "context"
