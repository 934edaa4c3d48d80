"""Accuracy of one model, greedy and averaged over samples, and its quality as a judge, with standard errors."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.core import files
from pipeline.core.errors import PipelineError
from pipeline.core.means import mean_and_error, proportion, ratio_and_error
from pipeline.core.params import Average, Evaluate, Sampling
from pipeline.core.records import Answered, Problem
from pipeline.domains.math import Grade, Grader, extract_answer
from pipeline.inference import Completion, Request, Task, seed_of
from pipeline.language import prompts, steps
from pipeline.methods.psrlm import judge
from pipeline.methods.psrlm.judge import Opinion
from pipeline.methods.srlm import scoring
from pipeline.methods.srlm.scoring import Estimate


def greedy(settings: Evaluate) -> Sampling:
    """How the solution is decoded that counts for accuracy."""
    return Sampling(temperature=0.0, top_p=1.0, max_tokens=settings.max_tokens)


def draws(problems: Sequence[Problem], average: Average) -> dict[str, Problem]:
    """The samples that avg@k takes: a key of each and its problem; none where no split is averaged.

    Raises PipelineError for a split that has no problem and for less than one sample.
    """
    splits = {problem.split for problem in problems}
    for split in average.splits:
        if split not in splits:
            known = ", ".join(sorted(splits))
            raise PipelineError(f"evaluate.average.splits: no evaluation problem is in {split!r}; give some of {known}")
    if average.splits and average.samples < 1:
        raise PipelineError(f"evaluate.average.samples: must be at least 1, is {average.samples}")
    chosen = [problem for problem in problems if problem.split in average.splits]
    return {f"{p.problem_id} sample {number}": p for p in chosen for number in range(average.samples)}


def solve(tokenizer: Any, family: str, problem: Problem, sampling: Sampling, seed: int = 0) -> Task[Completion]:
    """One whole solution of one problem."""
    question = prompts.fill(family, "reasoning", problem=problem.prompt)
    ids = tuple(tokenizer.encode(question, add_special_tokens=False))
    (completion,) = yield [Request(ids, sampling.max_tokens, sampling.temperature, sampling.top_p, seed=seed)]
    return completion


def tasks(
    tokenizer: Any,
    family: str,
    problems: Sequence[Problem],
    drawn: Mapping[str, Problem],
    settings: Evaluate,
    seed: int,
) -> dict[str, Task[Completion]]:
    """The greedy solution of every problem, by its id, and the samples `drawn`, by their keys."""
    once = {p.problem_id: solve(tokenizer, family, p, greedy(settings)) for p in problems}
    sampling = settings.average.sampling
    often = {key: solve(tokenizer, family, p, sampling, seed_of(seed, key)) for key, p in drawn.items()}
    return once | often


def write(
    problems: Sequence[Problem],
    drawn: Mapping[str, Problem],
    found: Mapping[str, Completion],
    answers: Path,
    stats: Path,
) -> None:
    """Grade every problem's greedy solution and every drawn sample, and write both with their statistics.

    found: the completions by key, as of `tasks`. answers: the folder of `answers.parquet` and `samples.parquet`.
    """
    with Grader() as grader:
        rows = answered(problems, [found[problem.problem_id] for problem in problems], grader)
        samples = answered(list(drawn.values()), [found[key] for key in drawn], grader)
    files.write(answers / "answers.parquet", Answered, rows)
    files.write(answers / "samples.parquet", Answered, samples)
    files.write_json(stats, accuracy(rows, samples))


def answered(problems: Sequence[Problem], completions: Sequence[Completion], grader: Grader) -> list[Answered]:
    """Graded solutions; a solution that is not in `Step n: ` form keeps its text as one step.

    end: `answer` (boxed, then the sequence ended), `runs_on` (boxed, not ended), `no_answer` (ended without a box), or
    why the sequence did not end (`length`, `context`).
    """
    extracted = [extract_answer(completion.text) for completion in completions]
    gold = [problem.answer or "" for problem in problems]
    grades = grader.grade(list(zip(extracted, gold, strict=True)))
    return [
        Answered(
            problem.problem_id,
            problem.split,
            problem.prompt,
            steps.parts(completion.text),
            _end(completion),
            answer,
            problem.answer or "",
            grade.value,
            completion.tokens,
        )
        for problem, completion, answer, grade in zip(problems, completions, extracted, grades, strict=True)
    ]


def _end(completion: Completion) -> str:
    if steps.is_answer(completion.text):
        return "answer" if completion.ended else "runs_on"
    return "no_answer" if completion.ended else completion.finish


def accuracy(rows: Sequence[Answered], samples: Sequence[Answered] = ()) -> dict[str, Any]:
    """Accuracy, steps a solution and characters a step with standard errors, by split and pooled; how solutions end.

    samples: graded ones of some splits, equally many a problem; these splits get `sampled`, the avg@k.
    """
    result: dict[str, Any] = {split: _summary(found) for split, found in _by_split(rows).items()}
    for split, found in _by_split(samples).items():
        result[split]["sampled"] = _sampled(found)
    result["pooled"] = _summary(rows)
    return result


def _by_split(rows: Sequence[Answered]) -> dict[str, list[Answered]]:
    return {split: [row for row in rows if row.split == split] for split in sorted({row.split for row in rows})}


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


def judge_quality(opinions: Sequence[Opinion]) -> dict[str, Any]:
    """Accuracy of the judge on held-out pairs as shown (paper, table 3) and swapped, and its consistency.

    An unreadable verdict counts as wrong and as inconsistent, a tie as wrong. Consistency: both orders name the same
    candidate, or both a tie.
    """
    mean, error = proportion([o.straight == o.winner for o in opinions])
    swapped, _ = proportion([judge.turned(o.swapped) == o.winner for o in opinions])
    readable = [o for o in opinions if o.straight and o.swapped]
    agree, agree_error = proportion(
        [o.straight is not None and o.straight == judge.turned(o.swapped) for o in opinions]
    )
    return {
        "pairs": len(opinions),
        "judge_accuracy": mean,
        "judge_accuracy_se": error,
        "judge_accuracy_swapped": swapped,
        "consistency": agree,
        "consistency_se": agree_error,
        "ties": sum(o.straight == "C" for o in opinions) / len(opinions),
        "unreadable": 1 - len(readable) / len(opinions),
    }


def scorer_quality(estimates: Sequence[Estimate]) -> dict[str, Any]:
    """Quality of a model that scores whole solutions, against the annotator's scores (compare paper, table 6).

    score_accuracy: share of single judgments that give the annotator's score. order_accuracy: over two solutions of one
    problem with different scores, share whose mean scores have the annotator's order; problems are the units of its
    error, since a solution stands in several pairs. consistency: share of solutions whose judgments all give one score.
    An unreadable judgment counts against all three. error: mean distance of a readable score, in points.
    """
    agree = [[scored.score == e.score for scored in e.scorings] for e in estimates]
    accuracy, accuracy_error = mean_and_error([sum(hits) / len(hits) for hits in agree])
    same = [len({s.score for s in e.scorings}) == 1 and e.scorings[0].score is not None for e in estimates]
    consistency, consistency_error = proportion(same)
    ordered = _ordered(estimates)
    pairs = [len(found) for found in ordered]
    order, order_error = ratio_and_error([sum(found) for found in ordered], pairs) if ordered else (None, None)
    read = [abs(s.score - e.score) for e in estimates for s in e.scorings if s.score is not None]
    return {
        "solutions": len(estimates),
        "score_accuracy": accuracy,
        "score_accuracy_se": accuracy_error,
        "order_accuracy": order,
        "order_accuracy_se": order_error,
        "ordered_pairs": sum(pairs),
        "consistency": consistency,
        "consistency_se": consistency_error,
        "error": sum(read) / len(read) if read else None,
        "unreadable": 1 - len(read) / sum(len(e.scorings) for e in estimates),
    }


def _ordered(estimates: Sequence[Estimate]) -> list[list[bool]]:
    """By problem, for each two solutions that the annotator scored differently: whether the model's means agree."""
    found: dict[str, list[bool]] = {}
    for first, second in itertools.combinations(estimates, 2):
        if first.problem_id == second.problem_id and first.score != second.score:
            low, high = sorted((first, second), key=lambda e: e.score)
            below, above = scoring.mean(low.scorings), scoring.mean(high.scorings)
            agrees = below is not None and above is not None and below < above
            found.setdefault(first.problem_id, []).append(agrees)
    return list(found.values())


def too_long(completion: Completion) -> bool:
    """Whether the prompt did not fit the engine's context."""
    return completion.finish == "context"
