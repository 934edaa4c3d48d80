"""Systematic misconceptions, as pupils have them: what the careless authors of the corpus write.

Two families, both documented in the field. `carry`: the carry of an addition or multiplication is forgotten,
and a subtraction takes the smaller digit from the larger ("smaller-from-larger", Brown and Burton 1978).
`keyword`: "A has 5 more than B" is read as an addition although B is the unknown (Lewis and Mayer 1987).
"""

from __future__ import annotations

import random

from pipeline.world.oracle import Claim
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


def misread(relation: Relation, known: dict[str, int]) -> tuple[int, str, int]:
    """The operation with the misconception about the key word; the exact one where it does not apply."""
    left, sign, right = relation.operation(known)
    if relation.kind in ("more_than_known", "less_than_known"):
        sign = {"+": "-", "-": "+"}[sign]
    return left, sign, right


def write_steps(graph: Graph, rng: random.Random, rate: float) -> list[str]:
    """A solution in which each step open to a misconception shows it with probability `rate`."""
    known, steps = dict(graph.givens), []
    for number, relation in enumerate(graph.needed(), start=1):
        body = claim(relation, known, rng, rate)
        known[relation.name] = body.value
        if relation.name == graph.asked:
            body = Claim(body.name, body.left, body.sign, body.right, body.value, body.value)
        steps.append(f"Step {number}: {body.text()}")
    return steps


def claim(relation: Relation, known: dict[str, int], rng: random.Random, rate: float) -> Claim:
    """One step's claim, unboxed: exact, or (where one applies, with probability `rate`) with a misconception."""
    left, sign, right = relation.operation(known)
    exact = compute(left, sign, right)
    wrong_sign = misread(relation, known)[1]
    choices = [
        (wrong_sign, compute(left, wrong_sign, right)) if wrong_sign != sign else None,
        (sign, careless(left, sign, right)) if careless(left, sign, right) != exact else None,
    ]
    slips = [slip for slip in choices if slip is not None and 0 <= slip[1] <= 3 * LARGEST]
    if slips and rng.random() < rate:
        sign, exact = rng.choice(slips)
    return Claim(relation.name, left, sign, right, exact)
