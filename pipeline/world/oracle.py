"""The exact oracle: what a step claims, whether it is right, and the check that explains it.

It takes the place that the paper gives to the PRM's human labels and to o1, so it serves IFT, PRM and EFT
data and measurements made after the fact. No stage of a round may import it; a test walks the imports.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.world.problems import Graph, Relation, compute

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


@dataclass(frozen=True)
class Check:
    """The oracle's opinion on one step: whether it is right, and the sentences that show it."""

    right: bool
    text: str


def check(graph: Graph, steps: list[str], step: str) -> Check:
    """Judge `step` as the continuation of `steps`.

    A step is right if it computes a quantity not yet known by the problem's own relation from the values
    as stated so far (an earlier slip is not blamed twice), and boxes its value exactly if it is the asked one.
    """
    said, known = claim(step), stated(graph, steps)
    if said is None:
        return Check(False, "Unclear. wrong.")
    relation = graph.by_name.get(said.name)
    if relation is None or said.name in known:
        return Check(False, f"{said.name} is not open. wrong.")
    if any(source not in known for source in relation.sources):
        return Check(False, f"{said.name} needs {_missing(relation, known)} first. wrong.")
    left, sign, right = relation.operation(known)
    value = compute(left, sign, right)
    shown = f"{said.name} has {left}{sign}{right}={value}, said {said.value}."
    if (said.answer is not None) != (said.name == graph.asked):
        return Check(False, f"{shown} {graph.asked} is asked. wrong.")
    good = said.value == value and said.answer in (None, value) and _same_operation(said, left, sign, right)
    return Check(good, f"{shown} {'right' if good else 'wrong'}.")


def _missing(relation: Relation, known: dict[str, int]) -> str:
    return next(source for source in relation.sources if source not in known)


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
