"""Theories in controlled English: facts, rules and a query; generate, write as text, read back.

A rule's premise and conclusion are neighbouring words, because that is the look-up which a small model learns.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import re
from dataclasses import dataclass

NAMES = ["Rex", "Max", "Bella", "Luna", "Otto", "Nala", "Toby", "Ruby", "Milo", "Daisy", "Bruno", "Coco"]
TRAVEL = ["drive", "ride", "sail", "walk", "swim", "row", "ski", "skate", "hike", "cycle", "paddle", "run"]
VERBS = [
    "bake", "sing", "dance", "paint", "read", "write", "farm", "hunt", "garden", "climb", "build", "weave", "carve",
    "print", "design", "juggle", "race", "dream", "help", "trade", "jump", "play", "work", "lead", "mend", "clean",
    "pack", "plant", "gather", "explore", "report", "roast", "brew", "draw", "fight", "wrestle", "golf", "camp", "dive",
    "bowl", "fence", "quilt", "count", "heal", "train", "whisper", "speak", "listen"
]  # fmt: skip
_CONVERSES = 2  # at most, so that a problem stays short


def _doers(verb: str) -> str:
    """Those who do it."""
    return f"{verb.capitalize()}{'rs' if verb.endswith('e') else 'ers'}"


DOERS = {_doers(verb): verb for verb in VERBS}


@dataclass(frozen=True)
class Rule:
    """Whoever does `premise` does `conclusion`, which may be a way to travel."""

    premise: str
    conclusion: str

    @property
    def doers(self) -> str:
        """Those of whom it speaks."""
        return _doers(self.premise)

    def text(self) -> str:
        """The rule as a sentence: premise and conclusion are neighbouring words."""
        return f"{self.doers} {self.conclusion}."


@dataclass(frozen=True)
class Theory:
    """A problem: what each person does, the rules in the order of the text, and the person of the question."""

    facts: tuple[tuple[str, str], ...]
    rules: tuple[Rule, ...]
    subject: str

    @property
    def fact(self) -> str:
        """What the text says of the subject."""
        return dict(self.facts)[self.subject]

    def proof(self) -> list[Rule]:
        """The rules that lead from the subject's fact to a way to travel, in order."""
        used: list[Rule] = []
        last = self.fact
        while last not in TRAVEL:
            used.append(next(rule for rule in self.rules if rule.premise == last))
            last = used[-1].conclusion
        return used


def write(theory: Theory) -> str:
    """The problem's text: one sentence a fact and a rule, then the question."""
    sentences = [f"{name} {fact}s." for name, fact in theory.facts]
    sentences += [rule.text() for rule in theory.rules]
    return " ".join([*sentences, f"How does {theory.subject} travel?"])


def read(text: str) -> Theory:
    """The theory of a problem of this world, from its text alone.

    Raises ValueError where the text is not a problem of this world.
    """
    *sentences, question = re.split(r"(?<=[.?])\s+", text.strip())
    query = re.fullmatch(r"How does (\w+) travel\?", question)
    facts: list[tuple[str, str]] = []
    rules: list[Rule] = []
    for sentence in sentences:
        rule = re.fullmatch(r"(\w+) (\w+)\.", sentence)
        if rule and rule[1] in DOERS:
            rules.append(Rule(DOERS[rule[1]], rule[2]))
        elif fact := re.fullmatch(r"(\w+) (\w+)s\.", sentence):
            facts.append((fact[1], fact[2]))
        else:
            raise ValueError(f"not a sentence of the world of deduction: {sentence!r}")
    if query is None or query[1] not in dict(facts):
        raise ValueError("not a problem of the world of deduction: no question about a person of its facts at its end")
    theory = Theory(tuple(facts), tuple(rules), query[1])
    known = {theory.fact}
    for _ in rules:
        known |= {rule.conclusion for rule in rules if rule.premise in known}
    if not known & set(TRAVEL):
        raise ValueError(
            "not a problem of the world of deduction: no way to travel follows for the person of its question"
        )
    return theory


def generate(rng: random.Random, depth: int) -> Theory:
    """A random problem whose proof applies `depth` rules.

    Beside the proof: another person with a proof of their own (in half of the problems), rules that lead to a verb of
    the proof from outside it (whose converse is tempting), and a rule about neither. Every verb has one rule that leads
    on, but those outside have a second one, to a way to travel of their own.
    """
    verbs = iter(rng.sample(VERBS, len(VERBS)))
    ways = iter(rng.sample(TRAVEL, len(TRAVEL)))
    subject, other = rng.sample(NAMES, 2)
    chain = [next(verbs) for _ in range(depth)]
    rules = [Rule(*link) for link in itertools.pairwise([*chain, next(ways)])]
    facts = [(subject, chain[0])]
    for target in rng.sample(chain, min(depth, _CONVERSES)):
        if rng.random() < 0.6:
            source = next(verbs)
            rules += [Rule(source, target), Rule(source, next(ways))]
    if rng.random() < 0.5:
        second = next(verbs)
        rules.append(Rule(second, next(ways)))
        facts.append((other, second))
    if rng.random() < 0.5:
        rules.append(Rule(next(verbs), next(ways)))
    rng.shuffle(facts)
    rng.shuffle(rules)
    return Theory(tuple(facts), tuple(rules), subject)


def signature(theory: Theory) -> str:
    """The whole proof: equal for problems that differ in names, distractors and order only."""
    return " ".join([theory.fact, *(rule.conclusion for rule in theory.proof())])


def reserved(theory: Theory) -> bool:
    """Whether a problem belongs to evaluation: one in eight by a hash of its proof; all others may train.

    So held-out problems stay held out for every seed and every size of a split, and for the shipped base model too.
    """
    return hashlib.sha256(signature(theory).encode()).digest()[0] % 8 == 0
