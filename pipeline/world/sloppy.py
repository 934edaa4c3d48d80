"""Systematic misconceptions, as pupils have them: what the careless authors of the corpus write.

Two families, both documented in the field. `carry`: the carry of an addition or multiplication is forgotten,
and a subtraction takes the smaller digit from the larger ("smaller-from-larger", Brown and Burton 1978).
`keyword`: "A has 5 more than B" is read as an addition although B is the unknown (Lewis and Mayer 1987).
"""

from __future__ import annotations

import random

from pipeline.world import oracle
from pipeline.world.problems import LARGEST, Graph, Relation, compute


def careless(left: int, sign: str, right: int) -> int:
    """The result with the misconception about carrying; equals the exact one where nothing is carried."""
    tens, units = divmod(left, 10)
    right_tens, right_units = divmod(right, 10)
    if sign == "+":
        return 10 * (tens + right_tens) + (units + right_units) % 10
    if sign == "-":
        return 10 * (tens - right_tens) + abs(units - right_units)
    return 10 * (tens * right) + (units * right) % 10


def misread(relation: Relation) -> tuple[str, str, str]:
    """The formula with the misconception about the key word; the exact one where it does not apply."""
    left, sign, right = relation.formula()
    if relation.kind in ("more_than_known", "less_than_known"):
        sign = {"+": "-", "-": "+"}[sign]
    return left, sign, right


def write_steps(graph: Graph, rng: random.Random, rate: float) -> list[str]:
    """A solution in which each step open to a misconception shows it with probability `rate`."""
    known, bodies = dict(graph.givens), []
    for relation in graph.needed():
        said = claim(relation, known, rng, rate)
        known[relation.name] = said.value
        bodies.append(said.text())
    bodies.append(oracle.final(known[graph.asked]))
    return [f"Step {number}: {text}" for number, text in enumerate(bodies, start=1)]


def claim(relation: Relation, known: dict[str, int], rng: random.Random, rate: float) -> oracle.Claim:
    """One step's claim: exact, or (where one applies, with probability `rate`) with a misconception."""
    exact = oracle.exact(relation, known)
    (_, sign, _), (left, right) = exact.formula, exact.operands
    turned = misread(relation)
    slips = [
        oracle.Claim(relation.name, turned, exact.operands, compute(left, turned[1], right)),
        oracle.Claim(relation.name, exact.formula, exact.operands, careless(left, sign, right)),
    ]
    slips = [slip for slip in slips if slip.value != exact.value and 0 <= slip.value <= 3 * LARGEST]
    return rng.choice(slips) if slips and rng.random() < rate else exact
