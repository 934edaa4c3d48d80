"""Exact knowledge of this world: what a step claims, whether it is right, and the check that explains it.

It takes the place that the paper gives to the PRM's human labels and to o1, so it serves IFT, PRM and EFT
data and measurements made after the fact. No stage of a round may import it; a test walks the imports.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.domains.deduction.theories import DOERS, TRAVEL, Rule, Theory
from pipeline.language.steps import body

STEP = re.compile(
    r"(?P<name>\w+) (?P<fact>\w+)s\. (?P<premise>\w+) (?P<then>\w+)\. So (?P<of>\w+) (?P<conclusion>\w+)s"
)


@dataclass(frozen=True)
class Claim:
    """What one step says: `name` does `fact`, the rule as quoted, so `name` does `conclusion`."""

    name: str
    fact: str
    rule: Rule
    conclusion: str

    def text(self) -> str:
        """The step's body, without its marker."""
        return f"{self.name} {self.fact}s. {self.rule.text()} So {self.name} {self.conclusion}s"


def applied(name: str, rule: Rule) -> Claim:
    """The claim that applies a rule to a person who does its premise."""
    return Claim(name, rule.premise, rule, rule.conclusion)


def final(way: str) -> str:
    """The body of a solution's last step."""
    return f"The answer is {way}"


def claim(step: str) -> Claim | None:
    """What a step claims; None where it cannot be read, or speaks of two people."""
    read = STEP.fullmatch(body(step))
    if read is None or read["name"] != read["of"] or read["premise"] not in DOERS:
        return None
    return Claim(read["name"], read["fact"], Rule(DOERS[read["premise"]], read["then"]), read["conclusion"])


def stated(theory: Theory, steps: list[str]) -> list[str]:
    """What the subject does after `steps`, oldest first: the fact, then what each readable step concludes."""
    known = [theory.fact]
    for step in steps:
        stating = claim(step)
        if stating and stating.name == theory.subject and stating.conclusion not in known:
            known.append(stating.conclusion)
    return known


def way(known: list[str]) -> str | None:
    """The way to travel among stated verbs, None where none is."""
    return next((verb for verb in known if verb in TRAVEL), None)


def right(theory: Theory, steps: list[str], step: str) -> bool:
    """Whether `step` is a right continuation of `steps`.

    It is if it applies a rule of the problem to what the subject does as stated so far (an earlier slip is not blamed
    twice) and concludes what was not stated yet, or names the stated way to travel once there is one.
    """
    known = stated(theory, steps)
    if answer := way(known):
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
    """The body of the right next step after `steps`: from the verb stated last that leads on."""
    known = stated(theory, steps)
    if answer := way(known):
        return final(answer)
    rules = ((verb, rule) for verb in reversed(known) for rule in theory.rules)
    following = (rule for verb, rule in rules if rule.premise == verb and rule.conclusion not in known)
    return applied(theory.subject, next(following)).text()


def solve(theory: Theory) -> list[str]:
    """The exact solution: one step for each rule of the proof, then the answer."""
    bodies = [*(applied(theory.subject, rule).text() for rule in theory.proof()), final(answer(theory))]
    return [f"Step {number}: {text}" for number, text in enumerate(bodies, start=1)]


def answer(theory: Theory) -> str:
    """The exact answer."""
    return theory.proof()[-1].conclusion
