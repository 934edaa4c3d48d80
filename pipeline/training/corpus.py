"""The pre-training corpus of an embedded world, of mixed quality: careless solutions, careful notes, marked homework.

The careless solutions teach the base model to solve, misconceptions included; examiners' notes teach it to find the
right one of two steps, the homework to mark a step. None holds a judgment as EFT adds it.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pipeline.language import prompts
from pipeline.language.renderer import Renderer
from pipeline.language.steps import join
from pipeline.training.recipe import Phase


@dataclass(frozen=True)
class Document:
    """One document: a prompt, and the steps (or the note) that follow it."""

    prompt: str
    steps: tuple[str, ...]


class World(Protocol):
    """What a domain's module `authors` knows: its problems (of a type of its own) and how people write about them."""

    FAMILY: str

    def problem(self, rng: random.Random, /) -> tuple[Any, str]:
        """A problem, short ones more often, and its text."""

    def reserved(self, problem: Any, /) -> bool:
        """Whether a problem belongs to evaluation."""

    def longest(self, problem: Any, /) -> int:
        """The most steps of a solution, slips included, that has no end before."""

    def finished(self, step: str, /) -> bool:
        """Whether a step says the final answer."""

    def write_steps(self, problem: Any, rng: random.Random, rate: float, /) -> list[str]:
        """A solution in which each step open to a misconception shows it with probability `rate`."""

    def next_step(self, problem: Any, steps: list[str], rng: random.Random, rate: float, /) -> str:
        """One more step of such a solution, with its marker."""

    def candidate(self, problem: Any, steps: list[str], rng: random.Random, /) -> str:
        """A next step as somebody might write it: right, with a misconception, or with another slip."""

    def right(self, problem: Any, steps: list[str], step: str, /) -> bool:
        """Whether a step is a right continuation of `steps`."""

    def mark(self, text: str, steps: list[str], /) -> tuple[list[str], int]:
        """The steps of a solution, each with `right` or `wrong` after it, and its points, 0 to 5."""

    def explain(self, problem: Any, steps: list[str], a: str, b: str, /) -> tuple[str, str]:
        """The right one of two next steps rewritten with its label, and that label: `A`, `B` or `C` for neither."""

    def short(self, rng: random.Random, /) -> tuple[str, str]:
        """A short exercise without a problem: its prompt, and what is written on it."""

    def two_lines(self, rng: random.Random, /) -> tuple[str, str]:
        """A note without a problem: a prompt with two lines, and the right one rewritten with its label."""

    def marked(self, rng: random.Random, /) -> tuple[str, str]:
        """Lines without a problem: the prompt that shows them, and the same lines, each with `right` or `wrong`."""


def documents(world: World, seed: int, phase: Phase, careless_rate: float) -> Iterator[Document]:
    """A phase's documents; problems that are reserved for evaluation are left out."""
    rng = random.Random(seed)
    produced = 0
    while produced < phase.documents:
        problem, text = world.problem(rng)
        if world.reserved(problem):
            continue
        produced += 1
        kind = rng.random()
        if (kind := kind - phase.checks) < 0:
            yield examination(world, problem, text, rng)
        elif (kind := kind - phase.homework) < 0:
            yield homework(world, problem, text, rng)
        elif (kind := kind - phase.contrasts) < 0:
            note = examination(world, problem, text, rng, decided=rng.random() < 0.5)
            yield replace(note, steps=(_closed(note.steps[0], rng),))
        elif (kind := kind - phase.marks) < 0:
            prompt, answer = world.marked(rng)
            yield Document(prompt, (answer,))
        elif (kind := kind - phase.lines) < 0:
            prompt, answer = world.short(rng)
            yield Document(prompt, (answer,))
        elif (kind := kind - phase.two_lines) < 0:
            prompt, answer = world.two_lines(rng)
            yield Document(prompt, (answer,))
        elif kind < phase.shown:
            yield shown(world, problem, text, rng, points=True)
        else:
            prompt = prompts.fill(world.FAMILY, "reasoning", problem=text)
            yield Document(prompt, tuple(world.write_steps(problem, rng, careless_rate)))


def texts(world: World, seed: int, phase: Phase, careless_rate: float) -> Iterator[str]:
    """Text for the tokenizer: 20,000 documents of a phase's kinds, from a seed of its own."""
    for document in documents(world, seed + 1, phase.model_copy(update={"documents": 20_000}), careless_rate):
        yield document.prompt + join(document.steps)


def row(renderer: Renderer, document: Document) -> dict[str, list[int]]:
    """A document as token ids, loss on what follows the prompt."""
    prompt, answer = renderer.turn(document.prompt), renderer.steps(document.steps)
    return {"input_ids": prompt + answer, "labels": [-100] * len(prompt) + answer}


def examination(world: World, problem: Any, text: str, rng: random.Random, decided: bool = False) -> Document:
    """An examiner's note: a state of somebody's solution, two next steps, the right one rewritten with its label.

    Both may be wrong, which the label `C` says, unless the note must be `decided`.
    """
    steps = world.write_steps(problem, rng, rng.choice((0.0, 0.5, 1.0)))
    depth = rng.randrange(len(steps))
    before = steps[:depth]
    for attempt in itertools.count():
        a, b = world.candidate(problem, before, rng), world.candidate(problem, before, rng)
        both_right = world.right(problem, before, a) and world.right(problem, before, b)
        note, winner = world.explain(problem, before, a, b)
        # After other people's slips a state may have no right next step (a negative number to add).
        if a != b and not both_right and (winner != "C" or not decided or attempt > 20):
            break
    prompt = prompts.fill(world.FAMILY, "examination", problem=text, steps=join(before), a=a, b=b)
    return Document(prompt, (f"{note} ({winner})",))


def _closed(note: str, rng: random.Random) -> str:
    """A note with one of several closings, so that saying the label again is a skill and not a habit of one place."""
    text, _, label = note.removesuffix(")").rpartition(" (")
    return text + rng.choice((" ({})", " <{}>", " (({}))", " << {} >>", " so {}", ": therefore ({})")).format(label)


def homework(world: World, problem: Any, text: str, rng: random.Random) -> Document:
    """Somebody's solution, slips of every kind in it, with a teacher's mark after each step."""
    marks, _ = world.mark(text, _with_slips(world, problem, rng))
    return Document(prompts.fill(world.FAMILY, "step_label", problem=text), tuple(marks))


def shown(world: World, problem: Any, text: str, rng: random.Random, points: bool) -> Document:
    """Somebody's solution, slips of every kind in it, shown and said again with marks, and what `points` it gets."""
    steps = _with_slips(world, problem, rng)
    marks, number = world.mark(text, steps)
    prompt = prompts.fill(world.FAMILY, "solution_label", problem=text, solution=join(steps))
    return Document(prompt, (join(marks) + f"\n({number})" * points,))


def _with_slips(world: World, problem: Any, rng: random.Random) -> list[str]:
    steps, rate = list[str](), rng.choice((0.0, 0.5, 1.0))
    while len(steps) < world.longest(problem) and (not steps or not world.finished(steps[-1])):
        odd = rng.random() < 0.15
        steps.append(world.candidate(problem, steps, rng) if odd else world.next_step(problem, steps, rng, rate))
    return steps
