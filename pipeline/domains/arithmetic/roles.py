"""What the world gives to the stages: problems by role, labelled solutions, annotations, the pre-training rows."""

from __future__ import annotations

import random
from collections.abc import Sequence

from pipeline.core.records import LabelledSolution, Problem
from pipeline.domains.arithmetic import oracle, sloppy
from pipeline.domains.arithmetic.problems import Graph, generate, read, reserved, signature, write
from pipeline.language.steps import body
from pipeline.language.steps import split as split_steps
from pipeline.methods.psrlm.judge import fenced


def evaluation(seed: int, splits: dict[str, list[int]]) -> list[Problem]:
    """Held-out problems: `splits` maps a name to (fewest steps, most steps, problems).

    They depend on the world's seed alone; their arithmetic is reserved for evaluation.
    """
    seen: set[str] = set()
    found = []
    for split, (fewest, most, count) in splits.items():
        rng = random.Random(f"{seed}/evaluation/{split}")
        for number in range(count):
            graph, text = _fresh(rng, fewest, most, seen, held_out=True)
            found.append(Problem(f"{split}-{number:05d}", text, split, str(oracle.answer(graph))))
    return found


def role(seed: int, name: str, count: int, seen: set[str], solved: bool) -> list[Problem]:
    """`count` problems of two to seven steps for one role; arithmetic in `seen` is avoided, then added to it.

    solved: whether they carry solution and answer (IFT alone; a round's problems never do).
    """
    rng = random.Random(f"{seed}/{name}")
    found = []
    for number in range(count):
        graph, text = _fresh(rng, 2, 7, seen, held_out=False)
        solution = "\n".join(body(step) for step in oracle.solve(graph)) if solved else None
        answer = str(oracle.answer(graph)) if solved else None
        found.append(Problem(f"{name}-{number:05d}", text, name, answer, solution))
    return found


def _fresh(rng: random.Random, fewest: int, most: int, seen: set[str], held_out: bool) -> tuple[Graph, str]:
    """A problem of the evaluation's or the training's part whose arithmetic is not in `seen`, to which it is added."""
    while True:
        graph = generate(rng, rng.randint(fewest, most))
        if reserved(graph) == held_out and signature(graph) not in seen:
            seen.add(signature(graph))
            return graph, write(graph)


def labelled(problems: Sequence[Problem], seed: int, careless: float) -> list[LabelledSolution]:
    """Solutions as careless pupils write them, with the oracle's label for each step (PRM training)."""
    rows = []
    for problem in problems:
        rng = random.Random(f"{seed}/prm/{problem.problem_id}")
        graph = read(problem.prompt)
        steps = sloppy.write_steps(graph, rng, careless)
        labels = tuple(oracle.right(graph, steps[:index], step) for index, step in enumerate(steps))
        rows.append(LabelledSolution(problem.problem_id, problem.prompt, tuple(steps), labels))
    return rows


def annotate(problem: str, steps: Sequence[str], a: str, b: str) -> str:
    """Explanation and verdict on two next steps, in the place of the paper's o1.

    Where both are right or both wrong its verdict is a tie, `[[C]]`.
    """
    clean = [fenced(step, ()) for step in (a, b)]
    text, winner = oracle.explain(read(problem), list(steps), clean[0], clean[1])
    return f"{text} [[{winner}]]"


def annotate_solution(problem: str, solution: str) -> str:
    """Judgment and score of a whole solution: each step restated with its mark, as in marked homework, then the points.

    One point for each full fifth of the steps that is right; the fifth needs a boxed answer too. A text that is not in
    `Step n: ` form has no right step.
    """
    try:
        steps = split_steps(fenced(solution, ()))
    except ValueError:
        return "Score: 0"
    marks, points = oracle.marked(read(problem), steps)
    return "\n".join([*marks, f"Score: {points}"])
