"""What the embedded worlds share: settings, problems by role that keep apart, the oracle of steps.

A world's problem has a type of its own; its modules say how one is generated, written, solved and told from others.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import Field

from pipeline.core.config import Name, Section, Seed, Share
from pipeline.core.records import LabelledSolution, Problem
from pipeline.language.steps import body
from pipeline.training.recipe import Recipe


class Settings(Section):
    """What every world has in params.yaml; splits: smallest size, largest size, problems."""

    seed: Seed = Field(description="of the base model's corpus and of the evaluation problems")
    misconception_rate: Share = Field(description="how often a step open to a misconception shows it in the corpus")
    splits: dict[Name, tuple[int, int, int]]
    recipe: Recipe

    def evaluation_splits(self) -> list[str]:
        """Names of the splits of the generated evaluation problems."""
        return list(self.splits)


class Source(Protocol):
    """The module that makes problems.

    generate: a random one whose solution has `size` steps before the answer. write: its text. signature: what makes a
    solution the same; problems of one signature never stand in two roles. reserved: whether a problem belongs to
    evaluation, by a hash of its signature.
    """

    def generate(self, rng: random.Random, size: int, /) -> Any: ...
    def write(self, problem: Any, /) -> str: ...
    def signature(self, problem: Any, /) -> str: ...
    def reserved(self, problem: Any, /) -> bool: ...


class Solver(Protocol):
    """The module that knows exact solutions.

    solve: the steps of the exact one, each with its marker. answer: its answer. right: whether `step` is a right
    continuation of `steps`. next_step: the body of the right next one.
    """

    def solve(self, problem: Any, /) -> list[str]: ...
    def answer(self, problem: Any, /) -> Any: ...
    def right(self, problem: Any, steps: list[str], step: str, /) -> bool: ...
    def next_step(self, problem: Any, steps: list[str], /) -> str: ...


@dataclass(frozen=True)
class Problems:
    """What the part `problems` of a world makes; sizes: smallest and largest of those to train on."""

    source: Source
    solver: Solver
    sizes: tuple[int, int]

    def evaluation(self, settings: Settings) -> list[Problem]:
        """Held-out problems of all splits, with answers.

        They depend on the domain's seed alone; their signatures are reserved for evaluation.
        """
        seen: set[str] = set()
        held_out = []
        for split, (*sizes, count) in settings.splits.items():
            rng = random.Random(f"{settings.seed}/evaluation/{split}")
            for number in range(count):
                problem = self._fresh(rng, sizes, seen, held_out=True)
                text, answer = self.source.write(problem), str(self.solver.answer(problem))
                held_out.append(Problem(f"{split}-{number:05d}", text, split, answer))
        return held_out

    def training(self, settings: Settings, seed: int, name: str, count: int, seen: set[str]) -> list[Problem]:
        """`count` problems of one role; signatures in `seen` are avoided, then added to it.

        IFT's problems alone carry a solution. An answer has also the role prm (rollouts reach it), and a round's, which
        no file shows but that of a variant which learns from it (`Problem.shown`).
        """
        rng = random.Random(f"{seed}/{name}")
        rows = []
        for number in range(count):
            problem = self._fresh(rng, self.sizes, seen, held_out=False)
            solution = "\n".join(body(step) for step in self.solver.solve(problem)) if name == "ift" else None
            answer = None if name == "eft" else str(self.solver.answer(problem))
            rows.append(Problem(f"{name}-{number:05d}", self.source.write(problem), name, answer, solution))
        return rows

    def _fresh(self, rng: random.Random, sizes: Sequence[int], seen: set[str], held_out: bool) -> Any:
        """A problem of the evaluation's or the training's part whose signature is not in `seen`, and then is."""
        while True:
            problem = self.source.generate(rng, rng.randint(*sizes))
            if self.source.reserved(problem) == held_out and (mark := self.source.signature(problem)) not in seen:
                seen.add(mark)
                return problem


def explain(solver: Solver, problem: Any, steps: list[str], a: str, b: str) -> tuple[str, str]:
    """The check of two next steps: the right one rewritten with its label, and that label: `A`, `B` or `C`.

    `C` where both are right or both are wrong.
    """
    winners = [label for label, step in (("A", a), ("B", b)) if solver.right(problem, steps, step)]
    if len(winners) != 1:
        return f"{solver.next_step(problem, steps)} C", "C"
    return f"{body(a if winners == ['A'] else b)} {winners[0]}", winners[0]


def words_again(rng: random.Random, words: Sequence[str], letters: bool) -> list[str]:
    """Words for an exercise that says them again in their order; letters: half as many, each with A or B behind it."""
    drawn = rng.sample(words, rng.randint(8, 32))
    return [f"{word} {rng.choice('AB')}" for word in drawn[::2]] if letters else drawn


@dataclass(frozen=True)
class Oracle:
    """What the part `oracle` of a world knows, from a problem's text alone.

    read: the problem of a text. write_steps: a solution as people write it, a misconception shown with probability
    `rate` where one applies. answer_end: where a final answer ends, None where there is none.
    """

    read: Callable[[str], Any]
    solver: Solver
    write_steps: Callable[[Any, random.Random, float], list[str]]
    answer_end: Callable[[str], int | None]

    def right(self, problem: str, steps: Sequence[str], step: str) -> bool:
        """Whether `step` is a right continuation of `steps`."""
        return self.solver.right(self.read(problem), list(steps), step)

    def compare(self, problem: str, steps: Sequence[str], a: str, b: str) -> tuple[str, str]:
        """The right one of two next steps rewritten, and its label, see `explain`."""
        return explain(self.solver, self.read(problem), list(steps), a, b)

    def mark(self, problem: str, steps: Sequence[str]) -> tuple[list[str], int]:
        """The steps, each with `right` or `wrong` after it, and the points: one for each full fifth that is right.

        The fifth point needs a solution that ends with an answer.
        """
        labels = self._labels(problem, steps)
        marks = [f"{step} {'right' if label else 'wrong'}" for step, label in zip(steps, labels, strict=True)]
        points = 5 * sum(labels) // len(labels)
        return marks, points if self.answer_end(steps[-1]) is not None else min(points, 4)

    def labelled(self, problems: Sequence[Problem], settings: Settings, seed: int) -> list[LabelledSolution]:
        """Solutions as people write them, misconceptions included, with a label for each step (PRM training)."""
        rows = []
        for row in problems:
            rng = random.Random(f"{seed}/prm/{row.problem_id}")
            steps = self.write_steps(self.read(row.prompt), rng, settings.misconception_rate)
            rows.append(LabelledSolution(row.problem_id, row.prompt, tuple(steps), self._labels(row.prompt, steps)))
        return rows

    def _labels(self, problem: str, steps: Sequence[str]) -> tuple[bool, ...]:
        return tuple(self.right(problem, steps[:index], step) for index, step in enumerate(steps))
