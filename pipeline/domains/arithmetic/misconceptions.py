"""Systematic misconceptions, as pupils have them: what the careless authors of the corpus write.

Two families, both documented in the field. `carry`: the carry of an addition or multiplication is forgotten,
and a subtraction takes the smaller digit from the larger ("smaller-from-larger", Brown and Burton 1978).
`keyword`: "A has 5 more than B" is read as an addition although B is the unknown (Lewis and Mayer 1987).
"""

from __future__ import annotations

import random
from dataclasses import replace

from pipeline.domains.arithmetic import exact
from pipeline.domains.arithmetic.graphs import LARGEST, Graph, Relation, compute


def careless(left: int, sign: str, right: int) -> int:
    """The result with the misconception about carrying; equals the exact one where nothing is carried."""
    tens, units = divmod(left, 10)
    right_tens, right_units = divmod(right, 10)
    if sign == "+":
        return 10 * (tens + right_tens) + (units + right_units) % 10
    if sign == "-":
        return 10 * (tens - right_tens) + abs(units - right_units)
    return 10 * (tens * right) + (units * right) % 10


def write_steps(graph: Graph, rng: random.Random, rate: float) -> list[str]:
    """A solution in which each step open to a misconception shows it with probability `rate`."""
    steps: list[str] = []
    for _ in range(len(graph.needed()) + 1):
        steps.append(next_step(graph, steps, rng, rate))
    return steps


def next_step(graph: Graph, steps: list[str], rng: random.Random, rate: float) -> str:
    """The step after `steps`, with its marker; a misconception shows with probability `rate` where one applies."""
    known = exact.stated(graph, steps)
    if graph.query in known:
        text = exact.final(known[graph.query])
    else:
        text = claim(next(r for r in graph.needed() if r.name not in known), known, rng, rate).text()
    return f"Step {len(steps) + 1}: {text}"


def claim(relation: Relation, known: dict[str, int], rng: random.Random, rate: float) -> exact.Claim:
    """One step's claim: exact, or (where one applies, with probability `rate`) with a misconception."""
    true = exact.claimed(relation, known)
    (name, sign, other), (left, right) = true.formula, true.operands
    slips = [replace(true, value=careless(left, sign, right))]
    if relation.kind in ("more_than_known", "less_than_known"):  # the key word is misread
        turned = {"+": "-", "-": "+"}[sign]
        slips.insert(0, replace(true, formula=(name, turned, other), value=compute(left, turned, right)))
    slips = [slip for slip in slips if slip.value != true.value and 0 <= slip.value <= 3 * LARGEST]
    return rng.choice(slips) if slips and rng.random() < rate else true
