"""Problems of the embedded world by role, apart from each other and from those held out."""

from __future__ import annotations

import random

from pipeline.core.records import Problem
from pipeline.domains.arithmetic import exact
from pipeline.domains.arithmetic.graphs import Graph, generate, reserved, signature, write
from pipeline.domains.arithmetic.settings import Settings
from pipeline.language.steps import body


def evaluation(settings: Settings) -> list[Problem]:
    """Held-out problems of all splits.

    They depend on the domain's seed alone; their arithmetic is reserved for evaluation.
    """
    seen: set[str] = set()
    found = []
    for split, (fewest, most, count) in settings.splits.items():
        rng = random.Random(f"{settings.seed}/evaluation/{split}")
        for number in range(count):
            graph, text = _fresh(rng, fewest, most, seen, held_out=True)
            found.append(Problem(f"{split}-{number:05d}", text, split, str(exact.answer(graph))))
    return found


def training(settings: Settings, seed: int, name: str, count: int, seen: set[str]) -> list[Problem]:
    """`count` problems of two to seven steps for one role; arithmetic in `seen` is avoided, then added to it.

    IFT's problems alone carry a solution; an answer has also the role prm (rollouts reach it), a round's never.
    """
    rng = random.Random(f"{seed}/{name}")
    found = []
    for number in range(count):
        graph, text = _fresh(rng, 2, 7, seen, held_out=False)
        solution = "\n".join(body(step) for step in exact.solve(graph)) if name == "ift" else None
        answer = str(exact.answer(graph)) if name in ("ift", "prm") else None
        found.append(Problem(f"{name}-{number:05d}", text, name, answer, solution))
    return found


def _fresh(rng: random.Random, fewest: int, most: int, seen: set[str], held_out: bool) -> tuple[Graph, str]:
    """A problem of the evaluation's or the training's part whose arithmetic is not in `seen`, to which it is added."""
    while True:
        graph = generate(rng, rng.randint(fewest, most))
        if reserved(graph) == held_out and signature(graph) not in seen:
            seen.add(signature(graph))
            return graph, write(graph)
