"""Step labels by continuations that reach the gold answer, on a scripted engine."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import scripted

from pipeline.core.config import Sampling
from pipeline.core.errors import PipelineError
from pipeline.core.records import Problem
from pipeline.data import labels, rollouts
from pipeline.domains.graders.pool import Graders
from pipeline.domains.math import final, grading
from pipeline.inference.requests import Completion, Request
from pipeline.language.renderer import Renderer
from pipeline.training.settings import Rollouts

HOW = Rollouts(
    policy="m0",
    solutions=3,
    continuations=8,
    estimate="hard",
    sampling=Sampling(temperature=0.8, top_p=0.95, max_tokens=64),
)
PROBLEMS = [Problem(f"p{n}", f"What is {n}?", "prm", "7") for n in range(6)]


def policy(prompt: str, request: Request) -> Completion:
    """Two steps; a wrong first one never leads to 7, a right one in half of all continuations."""
    ends = (" good\nStep 2: \\boxed{7}.", " bad\nStep 2: \\boxed{8}.", " good\nStep 2: \\boxed{8}.")
    if "Step 1: bad" in prompt:
        return Completion(" \\boxed{8}.", "stop", 5, True)
    if "Step 1: good" in prompt:
        return Completion(f" \\boxed{{{7 + request.seed % 2}}}.", "stop", 5, True)
    return Completion(ends[request.seed % 3], "stop", 9, True)


def rolled(renderer: Renderer, how: Rollouts = HOW, answer: Any = policy, problems: list[Problem] = PROBLEMS) -> Any:
    done = scripted(renderer.tokenizer, rollouts.tasks(renderer, problems, final, how, 1), answer)
    with Graders(grading) as graders:
        return rollouts.labelled(problems, done, graders, how, 1)


def test_hard_labels_say_whether_a_continuation_reaches_the_gold_answer(renderer: Renderer) -> None:
    rows, estimates, dropped = rolled(renderer)
    assert not dropped and {row.problem_id for row in rows} == {problem.problem_id for problem in PROBLEMS}
    for row in rows:
        assert row.labels == ("good" in row.completions[0], "boxed{7}" in row.completions[-1])
    shares = {one.steps[-1].removeprefix("Step 1: "): one.share for one in estimates if len(one.steps) == 1}
    assert shares == {"good": 0.5, "bad": 0.0}
    counted = labels.statistics(PROBLEMS, rows, dropped)
    assert counted["solutions"] == len(rows) == 18 and counted["steps"] == 36
    assert rollouts.statistics(estimates)["answers"] == sum(1 if len(one.steps) == 2 else 8 for one in estimates)


def test_equal_solutions_and_equal_beginnings_are_sampled_from_once(renderer: Renderer) -> None:
    def same(prompt: str, request: Request) -> Completion:
        return policy(prompt, Request(request.prompt_ids, 1, seed=0))

    rows, estimates, _ = rolled(renderer, answer=same)
    assert len(rows) == len(PROBLEMS) and len(estimates) == 2 * len(PROBLEMS)


def test_soft_labels_are_drawn_as_likely_as_a_continuation_reaches_the_gold(renderer: Renderer) -> None:
    problems = [Problem(f"p{n}", f"What is {n}?", "prm", "7") for n in range(300)]
    soft = HOW.model_copy(update={"estimate": "soft", "solutions": 1})
    rows, _, _ = rolled(renderer, soft, problems=problems)
    first = [row.labels[0] for row in rows if "good" in row.completions[0]]
    assert 0.4 < sum(first) / len(first) < 0.6
    assert not any(row.labels[0] for row in rows if "bad" in row.completions[0])
    assert rows == rolled(renderer, soft, problems=problems[::-1])[0][::-1]  # by content, not by order


def test_what_cannot_be_labelled_is_counted_with_its_reason(renderer: Renderer) -> None:
    def broken(prompt: str, request: Request) -> Completion:
        texts = (" no box", " good\nStep 3: \\boxed{7}.", " good\nStep 2: \\boxed{7}.")
        return Completion(texts[request.seed % 3], ("length", "stop", "stop")[request.seed % 3], 9)

    problems = [*PROBLEMS, Problem("p9", "What?", "prm")]
    rows, _, dropped = rolled(renderer, HOW.model_copy(update={"continuations": 1}), broken, problems)
    assert len(rows) == len(PROBLEMS)
    counted = labels.statistics(problems, rows, dropped)
    assert counted["dropped"] == {"length": 6, "no_answer": 1, "no_steps": 6}


def test_too_few_labelled_problems_are_one_line_with_the_reasons(renderer: Renderer) -> None:
    rows, _, dropped = rolled(renderer, answer=lambda prompt, request: Completion(" so", "length", 9))
    with pytest.raises(PipelineError, match=r"fewer than two of 6 problems have a labelled solution \(length 18\)"):
        labels.statistics(PROBLEMS, rows, dropped)


def test_every_tenth_problem_is_held_out_with_all_its_solutions(renderer: Renderer) -> None:
    train, test = labels.parted(rolled(renderer)[0]).values()
    assert {row.problem_id for row in test} == {"p0"} and not {row.problem_id for row in train} & {"p0"}
