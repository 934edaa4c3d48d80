"""Exact knowledge of this world: what a step claims, whether it is right, and the check that explains it.

It takes the place that the paper gives to the PRM's human labels and to o1, so it serves IFT, PRM and EFT
data and measurements made after the fact. No stage of a round may import it; a test walks the imports.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pipeline.domains.arithmetic.graphs import Graph, Relation, compute
from pipeline.language.steps import body

STEP = re.compile(r"(?P<name>\w+)=\w+[-+*]\w+=-?\d+[-+*]-?\d+=(?P<value>-?\d+)")


@dataclass(frozen=True)
class Claim:
    """What one step says: `name` is the formula `left sign right`, and with its operands' values it is `value`."""

    name: str
    formula: tuple[str, str, str]
    operands: tuple[int, int]
    value: int

    def text(self) -> str:
        """The step's body, without its marker."""
        (left, sign, right), (a, b) = self.formula, self.operands
        return f"{self.name}={left}{sign}{right}={a}{sign}{b}={self.value}"


def claimed(relation: Relation, known: dict[str, int]) -> Claim:
    """The right claim of a relation, from the values in `known`."""
    left, sign, right = relation.operation(known)
    return Claim(relation.name, relation.formula(), (left, right), compute(left, sign, right))


def final(value: int) -> str:
    """The body of a solution's last step."""
    return f"The answer is \\boxed{{{value}}}"


def stated(graph: Graph, steps: list[str]) -> dict[str, int]:
    """Values known after `steps`: the givens and what each readable step states, right or not."""
    known = dict(graph.givens)
    for step in steps:
        if claim := STEP.fullmatch(body(step)):
            known[claim["name"]] = int(claim["value"])
    return known


def right(graph: Graph, steps: list[str], step: str) -> bool:
    """Whether `step` is a right continuation of `steps`.

    It is if it computes a quantity not yet known by the problem's own relation from the values as stated so far (an
    earlier slip is not blamed twice), or boxes the stated value of the question's quantity once that is known. The
    order of what is added or multiplied does not matter.
    """
    known = stated(graph, steps)
    if graph.query in known:
        return body(step) == final(known[graph.query])
    read = STEP.fullmatch(body(step))
    relation = graph.by_name.get(read["name"]) if read else None
    if relation is None or relation.name in known or any(source not in known for source in relation.sources):
        return False
    claim = claimed(relation, known)
    if claim.formula[1] == "-":
        return body(step) == claim.text()
    formulas, operands = (claim.formula, claim.formula[::-1]), (claim.operands, claim.operands[::-1])
    return body(step) in {replace(claim, formula=f, operands=o).text() for f in formulas for o in operands}


def next_step(graph: Graph, steps: list[str]) -> str:
    """The body of the right next step after `steps`, in the problem's order."""
    known = stated(graph, steps)
    if graph.query in known:
        return final(known[graph.query])
    return claimed(next(r for r in graph.needed() if r.name not in known), known).text()


def solve(graph: Graph) -> list[str]:
    """The exact solution: one step for each needed quantity, in the problem's order, then the boxed answer."""
    steps: list[str] = []
    for number in range(1, len(graph.needed()) + 2):
        steps.append(f"Step {number}: {next_step(graph, steps)}")
    return steps


def answer(graph: Graph) -> int:
    """The exact answer."""
    known = dict(graph.givens)
    for relation in graph.needed():
        known[relation.name] = claimed(relation, known).value
    return known[graph.query]
