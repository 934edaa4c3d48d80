"""The exact oracle: what a step claims, whether it is right, and the check that explains it.

It takes the place that the paper gives to the PRM's human labels and to o1, so it serves IFT, PRM and EFT
data and measurements made after the fact. No stage of a round may import it; a test walks the imports.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.world.problems import Graph, compute

STEP = re.compile(
    r"(?:Step \d+: )?(?P<name>\w+) has (?P<left>-?\d+)(?P<sign>[-+*])(?P<right>\d+)=(?P<value>-?\d+)\."
    r"(?: The answer is \\boxed\{(?P<answer>-?\d+)\}\.)?"
)


@dataclass(frozen=True)
class Claim:
    """What one step says: `name` has left sign right = value, and (last step only) the boxed answer."""

    name: str
    left: int
    sign: str
    right: int
    value: int
    answer: int | None = None

    def text(self) -> str:
        """The step's body, without its marker."""
        body = f"{self.name} has {self.left}{self.sign}{self.right}={self.value}."
        return body if self.answer is None else f"{body} The answer is \\boxed{{{self.answer}}}."


def claim(step: str) -> Claim | None:
    """The claim of a step's text, or None where it is not a step of this world."""
    match = STEP.fullmatch(step.strip())
    if match is None:
        return None
    answer = match["answer"]
    return Claim(
        match["name"],
        int(match["left"]),
        match["sign"],
        int(match["right"]),
        int(match["value"]),
        int(answer) if answer is not None else None,
    )


def stated(graph: Graph, steps: list[str]) -> dict[str, int]:
    """Values known after `steps`: the givens and what each readable step states, right or not."""
    known = dict(graph.givens)
    for step in steps:
        said = claim(step)
        if said is not None:
            known[said.name] = said.value
    return known


def right(graph: Graph, steps: list[str], step: str) -> bool:
    """Whether `step` is a right continuation of `steps`.

    It is if it computes a quantity not yet known by the problem's own relation from the values as stated so
    far (an earlier slip is not blamed twice), and boxes its value exactly if it is the asked one.
    """
    said, known = claim(step), stated(graph, steps)
    relation = graph.by_name.get(said.name) if said else None
    if said is None or relation is None or said.name in known or any(s not in known for s in relation.sources):
        return False
    left, sign, right_operand = relation.operation(known)
    value = compute(left, sign, right_operand)
    if (said.answer is not None) != (said.name == graph.asked):
        return False
    return said.value == value and said.answer in (None, value) and _same_operation(said, left, sign, right_operand)


def next_claim(graph: Graph, steps: list[str]) -> Claim | None:
    """The right next step after `steps` in the problem's order; None where nothing is left to compute."""
    known = stated(graph, steps)
    relation = next((r for r in graph.needed() if r.name not in known), None)
    if relation is None:
        return None
    left, sign, right_operand = relation.operation(known)
    value = compute(left, sign, right_operand)
    return Claim(relation.name, left, sign, right_operand, value, value if relation.name == graph.asked else None)


def explain(graph: Graph, steps: list[str], a: str, b: str) -> tuple[str, str | None]:
    """The check of two next steps: the right one rewritten with its label, and `A`, `B` or None.

    None where both are right, both are wrong, or nothing is left to compute.
    """
    winners = [label for label, step in (("A", a), ("B", b)) if right(graph, steps, step)]
    said = claim(a if winners == ["A"] else b) if len(winners) == 1 else next_claim(graph, steps)
    shown = "Nothing is left." if said is None else said.text()
    return (f"{shown} ({winners[0]})", winners[0]) if len(winners) == 1 else (f"{shown} (none)", None)


def _same_operation(said: Claim, left: int, sign: str, right: int) -> bool:
    straight = (said.left, said.sign, said.right) == (left, sign, right)
    swapped = sign != "-" and (said.left, said.sign, said.right) == (right, sign, left)
    return straight or swapped


def solve(graph: Graph) -> list[str]:
    """The exact solution: one step for each needed quantity, in the problem's order, answer boxed."""
    known, steps = dict(graph.givens), []
    for number, relation in enumerate(graph.needed(), start=1):
        left, sign, right = relation.operation(known)
        known[relation.name] = compute(left, sign, right)
        answer = known[relation.name] if relation.name == graph.asked else None
        body = Claim(relation.name, left, sign, right, known[relation.name], answer)
        steps.append(f"Step {number}: {body.text()}")
    return steps


def answer(graph: Graph) -> int:
    """The exact answer."""
    known = dict(graph.givens)
    for relation in graph.needed():
        known[relation.name] = compute(*relation.operation(known))
    return known[graph.asked]
