"""The oracle: whether a step is right, from a problem's text; in the place of the paper's human labels and of o1.

It serves PRM and EFT data and measurements made after the fact. No stage of a round may import it; a test walks the
imports.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from pipeline.core.records import LabelledSolution, Problem
from pipeline.domains import worlds
from pipeline.domains.arithmetic import exact, misconceptions
from pipeline.domains.arithmetic.final import end
from pipeline.domains.arithmetic.graphs import read
from pipeline.domains.arithmetic.settings import Settings


def right(problem: str, steps: Sequence[str], step: str) -> bool:
    """Whether `step` is a right continuation of `steps`."""
    return exact.right(read(problem), list(steps), step)


def compare(problem: str, steps: Sequence[str], a: str, b: str) -> tuple[str, str]:
    """The right one of two next steps rewritten, and its label `A` or `B`; `C` where both are right or both wrong."""
    return exact.explain(read(problem), list(steps), a, b)


def mark(problem: str, steps: Sequence[str]) -> tuple[list[str], int]:
    """The steps, each with `right` or `wrong` after it, and the points, 0 to 5, of the solution."""
    labels = [right(problem, steps[:index], step) for index, step in enumerate(steps)]
    return worlds.marked(steps, labels, ended=end(steps[-1]) is not None)


def labelled(problems: Sequence[Problem], settings: Settings, seed: int) -> list[LabelledSolution]:
    """Solutions as pupils write them, misconceptions included, with the oracle's label for each step (PRM training)."""

    def write(problem: str, rng: random.Random) -> list[str]:
        return misconceptions.write_steps(read(problem), rng, settings.misconception_rate)

    return worlds.labelled(problems, seed, write, right)
