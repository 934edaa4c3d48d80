"""Systematic misconceptions, as people have them: what the careless authors of the corpus write.

`converse`: from "Singers dance" they conclude that Rex, who dances, sings (illicit conversion, Chapman and Chapman
1959). `binding`: what another person does is taken for what the subject does. `distractor`: the author reads on and
applies the sentence after the rule used last, though nothing says that its premise holds.
"""

from __future__ import annotations

import random

from pipeline.domains.deduction import exact
from pipeline.domains.deduction.exact import Claim, applied
from pipeline.domains.deduction.theories import Theory
from pipeline.language.steps import body


def slips(theory: Theory, steps: list[str]) -> list[Claim]:
    """The claims of every misconception that the state after `steps` is open to."""
    known = exact.stated(theory, steps)
    if exact.way(known):
        return []
    name, last = theory.subject, known[-1]
    others = {fact for person, fact in theory.facts if person != name}
    back = [rule for rule in theory.rules if rule.conclusion == last and rule.premise not in known]
    converse = [Claim(name, last, rule, rule.premise) for rule in back]
    binding = [applied(name, rule) for rule in theory.rules if rule.premise in others and not steps]
    return [*converse, *binding, *_distractor(theory, steps, known)]


def _distractor(theory: Theory, steps: list[str], known: list[str]) -> list[Claim]:
    used_last = exact.claim(steps[-1]) if steps else None
    following = theory.rules.index(used_last.rule) + 1 if used_last and used_last.rule in theory.rules else 0
    if (steps and not following) or following == len(theory.rules):
        return []
    rule = theory.rules[following]
    proof = {theory.fact, *(used.conclusion for used in theory.proof())}
    if rule.premise in known or rule.premise in proof or rule.conclusion in proof:
        return []
    return [Claim(theory.subject, known[-1], rule, rule.conclusion)]


def write_steps(theory: Theory, rng: random.Random, rate: float) -> list[str]:
    """A solution in which each step open to a misconception shows it with probability `rate`."""
    steps: list[str] = []
    while not steps or not finished(steps[-1]):
        steps.append(next_step(theory, steps, rng, rate))
    return steps


def next_step(theory: Theory, steps: list[str], rng: random.Random, rate: float) -> str:
    """The step after `steps`, with its marker; the first misconception that applies shows with probability `rate`."""
    open_to = slips(theory, steps)
    slip = open_to[0].text() if open_to and rng.random() < rate else None
    return f"Step {len(steps) + 1}: {slip or exact.next_step(theory, steps)}"


def finished(step: str) -> bool:
    """Whether a step says the answer, so that the solution ends."""
    return body(step).startswith(exact.final(""))
