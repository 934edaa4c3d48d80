"""Exact knowledge of this world: what a step claims, whether it is right, and the check that explains it.

It takes the place that the paper gives to the PRM's human labels and to o1, so it serves IFT, PRM and EFT
data and measurements made after the fact. No stage of a round may import it; a test walks the imports.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.domains.deduction.theories import COLOURS, Rule, Theory
from pipeline.language.steps import body

STEP = re.compile(
    r"(?P<name>\w+) is (?P<fact>\w+)\. If (?P<premise>\w+) then (?P<then>\w+)\. "
    r"So (?P<of>\w+) is (?P<conclusion>\w+)"
)


@dataclass(frozen=True)
class Claim:
    """What one step says: `name` is `fact`, the rule as quoted, so `name` is `conclusion`."""

    name: str
    fact: str
    rule: Rule
    conclusion: str

    def text(self) -> str:
        """The step's body, without its marker."""
        return f"{self.name} is {self.fact}. {self.rule.text()} So {self.name} is {self.conclusion}"


def applied(name: str, rule: Rule) -> Claim:
    """The claim that applies a rule to a pet that has its premise."""
    return Claim(name, rule.premise, rule, rule.conclusion)


def final(colour: str) -> str:
    """The body of a solution's last step."""
    return f"The answer is {colour}"


def claim(step: str) -> Claim | None:
    """What a step claims; None where it cannot be read, or speaks of two pets."""
    read = STEP.fullmatch(body(step))
    if read is None or read["name"] != read["of"]:
        return None
    return Claim(read["name"], read["fact"], Rule(read["premise"], read["then"]), read["conclusion"])


def stated(theory: Theory, steps: list[str]) -> list[str]:
    """Properties of the subject after `steps`, oldest first: its fact and what each readable step concludes, right or
    not."""
    known = [theory.fact]
    for step in steps:
        stating = claim(step)
        if stating and stating.name == theory.subject and stating.conclusion not in known:
            known.append(stating.conclusion)
    return known


def colour(known: list[str]) -> str | None:
    """The colour among stated properties, None where none is."""
    return next((word for word in known if word in COLOURS), None)


def right(theory: Theory, steps: list[str], step: str) -> bool:
    """Whether `step` is a right continuation of `steps`.

    It is if it applies a rule of the problem to a property of the subject as stated so far (an earlier slip is not
    blamed twice) and concludes what was not stated yet, or names the stated colour once there is one.
    """
    known = stated(theory, steps)
    if answer := colour(known):
        return body(step) == final(answer)
    stating = claim(step)
    return (
        stating is not None
        and stating == applied(theory.subject, stating.rule)
        and stating.rule in theory.rules
        and stating.fact in known
        and stating.conclusion not in known
    )


def next_step(theory: Theory, steps: list[str]) -> str:
    """The body of the right next step after `steps`: from the property stated last that leads on."""
    known = stated(theory, steps)
    if answer := colour(known):
        return final(answer)
    rules = ((word, rule) for word in reversed(known) for rule in theory.rules)
    following = (rule for word, rule in rules if rule.premise == word and rule.conclusion not in known)
    return applied(theory.subject, next(following)).text()


def solve(theory: Theory) -> list[str]:
    """The exact solution: one step for each rule of the proof, then the answer."""
    bodies = [*(applied(theory.subject, rule).text() for rule in theory.proof()), final(answer(theory))]
    return [f"Step {number}: {text}" for number, text in enumerate(bodies, start=1)]


def answer(theory: Theory) -> str:
    """The exact answer."""
    return theory.proof()[-1].conclusion
