"""Theories in controlled English: facts, rules and a query; generate, write as text, read back."""

from __future__ import annotations

import hashlib
import itertools
import random
import re
from dataclasses import dataclass

NAMES = ["Rex", "Max", "Bella", "Luna", "Otto", "Nala", "Toby", "Ruby", "Milo", "Daisy", "Bruno", "Coco"]
COLOURS = ["red", "blue", "green", "black", "white", "brown", "grey", "pink", "orange", "purple", "yellow", "golden"]
PROPERTIES = [
    "kind", "quiet", "big", "small", "young", "old", "furry", "lazy", "brave", "shy", "calm", "wild", "tame",
    "quick", "slow", "strong", "weak", "happy", "sad", "clever", "silly", "proud", "gentle", "noisy", "hungry",
    "sleepy", "clean", "dirty", "tall", "short", "round", "thin", "warm", "cold", "soft", "rough", "smooth",
    "loyal", "curious", "careful", "playful", "grumpy", "patient", "polite", "rude", "fierce", "nervous", "cheerful"
]  # fmt: skip
_CONVERSES = 2  # at most, so that a problem stays short


@dataclass(frozen=True)
class Rule:
    """A pet with the property `premise` has the property `conclusion`, which may be a colour."""

    premise: str
    conclusion: str

    def text(self) -> str:
        """The rule as a sentence."""
        return f"If {self.premise} then {self.conclusion}."


@dataclass(frozen=True)
class Theory:
    """A problem: the fact of each pet, the rules in the order of the text, and the pet of the question."""

    facts: tuple[tuple[str, str], ...]
    rules: tuple[Rule, ...]
    subject: str

    @property
    def fact(self) -> str:
        """What the text says of the subject."""
        return dict(self.facts)[self.subject]

    def proof(self) -> list[Rule]:
        """The rules that lead from the subject's fact to its colour, in order."""
        used: list[Rule] = []
        last = self.fact
        while last not in COLOURS:
            used.append(next(rule for rule in self.rules if rule.premise == last))
            last = used[-1].conclusion
        return used


def write(theory: Theory) -> str:
    """The problem's text: one sentence a fact and a rule, then the question."""
    sentences = [f"{name} is {fact}." for name, fact in theory.facts]
    sentences += [rule.text() for rule in theory.rules]
    return " ".join([*sentences, f"What colour is {theory.subject}?"])


def read(text: str) -> Theory:
    """The theory of a problem of this world, from its text alone.

    Raises ValueError where the text is not a problem of this world.
    """
    *sentences, question = re.split(r"(?<=[.?])\s+", text.strip())
    query = re.fullmatch(r"What colour is (\w+)\?", question)
    facts: list[tuple[str, str]] = []
    rules: list[Rule] = []
    for sentence in sentences:
        if fact := re.fullmatch(r"(\w+) is (\w+)\.", sentence):
            facts.append((fact[1], fact[2]))
        elif rule := re.fullmatch(r"If (\w+) then (\w+)\.", sentence):
            rules.append(Rule(rule[1], rule[2]))
        else:
            raise ValueError(f"not a sentence of the world of deduction: {sentence!r}")
    if query is None or query[1] not in dict(facts):
        raise ValueError("not a problem of the world of deduction: no question about a pet of its facts at its end")
    theory = Theory(tuple(facts), tuple(rules), query[1])
    known = {theory.fact}
    for _ in rules:
        known |= {rule.conclusion for rule in rules if rule.premise in known}
    if not known & set(COLOURS):
        raise ValueError("not a problem of the world of deduction: no colour follows for the pet of its question")
    return theory


def generate(rng: random.Random, depth: int) -> Theory:
    """A random problem whose proof applies `depth` rules.

    Beside the proof: another pet with a proof of its own (in half of the problems), rules that lead to a property of
    the proof from outside it (whose converse is tempting), and a rule about neither. Every property has one rule that
    leads on, but those outside have a second one, to a colour of their own.
    """
    words = iter(rng.sample(PROPERTIES, len(PROPERTIES)))
    colours = iter(rng.sample(COLOURS, len(COLOURS)))
    subject, other = rng.sample(NAMES, 2)
    chain = [next(words) for _ in range(depth)]
    rules = [Rule(*link) for link in itertools.pairwise([*chain, next(colours)])]
    facts = [(subject, chain[0])]
    for target in rng.sample(chain, min(depth, _CONVERSES)):
        if rng.random() < 0.6:
            source = next(words)
            rules += [Rule(source, target), Rule(source, next(colours))]
    if rng.random() < 0.5:
        second = next(words)
        rules.append(Rule(second, next(colours)))
        facts.append((other, second))
    if rng.random() < 0.5:
        rules.append(Rule(next(words), next(colours)))
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
