"""What the embedded worlds share: problems by role that keep apart, marked solutions, labelled solutions.

A world's problem has a type of its own; its modules say how one is generated, written, solved and told from others.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from pipeline.core.records import LabelledSolution, Problem
from pipeline.language.steps import body


class Source(Protocol):
    """The module that makes problems."""

    def generate(self, rng: random.Random, size: int, /) -> Any:
        """A random problem whose solution has `size` steps before the answer."""

    def write(self, problem: Any, /) -> str:
        """Its text."""

    def signature(self, problem: Any, /) -> str:
        """What makes a solution the same: problems of one signature never stand in two roles."""

    def reserved(self, problem: Any, /) -> bool:
        """Whether a problem belongs to evaluation, by a hash of its signature."""


class Solver(Protocol):
    """The module that knows exact solutions."""

    def solve(self, problem: Any, /) -> list[str]:
        """The steps of the exact solution, each with its marker."""

    def answer(self, problem: Any, /) -> Any:
        """The exact answer."""


def evaluation(source: Source, solver: Solver, splits: Mapping[str, tuple[int, int, int]], seed: int) -> list[Problem]:
    """Held-out problems of all splits (smallest size, largest size, problems), with answers.

    They depend on the domain's seed alone; their signatures are reserved for evaluation.
    """
    seen: set[str] = set()
    held_out = []
    for split, (fewest, most, count) in splits.items():
        rng = random.Random(f"{seed}/evaluation/{split}")
        for number in range(count):
            problem = _fresh(source, rng, (fewest, most), seen, held_out=True)
            text, answer = source.write(problem), str(solver.answer(problem))
            held_out.append(Problem(f"{split}-{number:05d}", text, split, answer))
    return held_out


def training(
    source: Source, solver: Solver, sizes: tuple[int, int], seed: int, name: str, count: int, seen: set[str]
) -> list[Problem]:
    """`count` problems of one role, of the smallest to the largest of `sizes`; signatures in `seen` are avoided, then
    added to it.

    IFT's problems alone carry a solution; an answer has also the role prm (rollouts reach it), a round's never.
    """
    rng = random.Random(f"{seed}/{name}")
    rows = []
    for number in range(count):
        problem = _fresh(source, rng, sizes, seen, held_out=False)
        solution = "\n".join(body(step) for step in solver.solve(problem)) if name == "ift" else None
        answer = str(solver.answer(problem)) if name in ("ift", "prm") else None
        rows.append(Problem(f"{name}-{number:05d}", source.write(problem), name, answer, solution))
    return rows


def _fresh(source: Source, rng: random.Random, sizes: tuple[int, int], seen: set[str], held_out: bool) -> Any:
    """A problem of the evaluation's or the training's part whose signature is not in `seen`, to which it is added."""
    while True:
        problem = source.generate(rng, rng.randint(*sizes))
        if source.reserved(problem) == held_out and source.signature(problem) not in seen:
            seen.add(source.signature(problem))
            return problem


def marked(steps: Sequence[str], labels: Sequence[bool], ended: bool) -> tuple[list[str], int]:
    """The steps, each with `right` or `wrong` after it, and the points: one for each full fifth that is right.

    The fifth point needs a solution that has `ended` with an answer.
    """
    marks = [f"{step} {'right' if label else 'wrong'}" for step, label in zip(steps, labels, strict=True)]
    points = 5 * sum(labels) // len(labels)
    return marks, points if ended else min(points, 4)


def labelled(
    problems: Sequence[Problem],
    seed: int,
    write: Callable[[str, random.Random], list[str]],
    right: Callable[[str, Sequence[str], str], bool],
) -> list[LabelledSolution]:
    """Solutions as people write them, misconceptions included, with the oracle's label for each step (PRM training).

    write: steps on a problem's text; right: whether a step is right after those before it.
    """
    rows = []
    for problem in problems:
        steps = write(problem.prompt, random.Random(f"{seed}/prm/{problem.problem_id}"))
        labels = tuple(right(problem.prompt, steps[:index], step) for index, step in enumerate(steps))
        rows.append(LabelledSolution(problem.problem_id, problem.prompt, tuple(steps), labels))
    return rows
