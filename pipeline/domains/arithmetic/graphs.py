"""Word problems as dependency graphs of quantities: generate, write as text, read back, solve."""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass

MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November"]
ITEMS = ["letters", "parcels", "visitors", "orders", "calls", "guests", "repairs", "tickets"]
LARGEST = 99  # every quantity lies in 1..LARGEST, so that each number is one token the model sees often


@dataclass(frozen=True)
class Relation:
    """How one quantity follows from others.

    kind: `given` (number), `more`/`fewer`/`times` (one source and a number), `together` (two sources),
    `less_than_known`/`more_than_known` (the sentence says how much less or more the known quantity was, so that
    the right operation is the opposite of its word).
    """

    name: str
    kind: str
    sources: tuple[str, ...] = ()
    number: int = 0

    def formula(self) -> tuple[str, str, str]:
        """How the quantity is computed: a source's name, `+`, `-` or `*`, then a source's name or a number."""
        sign = {"fewer": "-", "more_than_known": "-", "times": "*"}.get(self.kind, "+")
        return self.sources[0], sign, self.sources[1] if self.kind == "together" else str(self.number)

    def operation(self, known: dict[str, int]) -> tuple[int, str, int]:
        """The formula with values from `known`."""
        left, sign, right = self.formula()
        return known[left], sign, known[right] if self.kind == "together" else self.number


@dataclass(frozen=True)
class Graph:
    """A problem: relations in an order in which they can be computed, and the quantity of the question."""

    item: str
    relations: tuple[Relation, ...]
    query: str

    @property
    def by_name(self) -> dict[str, Relation]:
        """Each quantity's relation under its name."""
        return {relation.name: relation for relation in self.relations}

    @property
    def givens(self) -> dict[str, int]:
        """The quantities that the problem states as numbers."""
        return {relation.name: relation.number for relation in self.relations if relation.kind == "given"}

    def needed(self) -> list[Relation]:
        """The relations that the quantity of the question depends on, in computing order, without the givens."""
        wanted, by_name = {self.query}, self.by_name
        for relation in reversed(self.relations):
            if relation.name in wanted:
                wanted.update(by_name[relation.name].sources)
        return [r for r in self.relations if r.name in wanted and r.kind != "given"]


def compute(left: int, sign: str, right: int) -> int:
    """The exact value of one operation."""
    return {"+": left + right, "-": left - right, "*": left * right}[sign]


SENTENCES = {
    "given": "{name} brought {number} {item}.",
    "more": "{name} brought {number} more than {0}.",
    "fewer": "{name} brought {number} fewer than {0}.",
    "times": "{name} brought {number} times as many as {0}.",
    "together": "{name} brought as many as {0} and {1} together.",
    "more_than_known": "That was {number} more than {name}.",
    "less_than_known": "That was {number} fewer than {name}.",
}
QUESTION = "How many {item} did {query} bring?"


def write(graph: Graph) -> str:
    """The problem's text: one sentence a relation in computing order, then the question."""
    sentences = [
        SENTENCES[r.kind].format(*r.sources, name=r.name, number=r.number, item=graph.item) for r in graph.relations
    ]
    return " ".join([*sentences, QUESTION.format(item=graph.item, query=graph.query)])


_PATTERNS = {
    "given": r"(?P<name>\w+) brought (?P<number>\d+) (?P<item>\w+)\.",
    "comparison": r"(?P<name>\w+) brought (?P<number>\d+) (?P<word>more|fewer) than (?P<source>\w+)\.",
    "times": r"(?P<name>\w+) brought (?P<number>\d+) times as many as (?P<source>\w+)\.",
    "together": r"(?P<name>\w+) brought as many as (?P<source>\w+) and (?P<second>\w+) together\.",
    "inverse": r"That was (?P<number>\d+) (?P<word>more|fewer) than (?P<name>\w+)\.",
}


def read(text: str) -> Graph:
    """The graph of a problem of this world, from its text alone.

    Raises ValueError where the text is not a problem of this world.
    """
    *sentences, question = re.split(r"(?<=[.?])\s+", text.strip())
    query = re.fullmatch(r"How many (\w+) did (\w+) bring\?", question)
    if query is None:
        raise ValueError("not a problem of the embedded world: no question at its end")
    relations: list[Relation] = []
    for sentence in sentences:
        relation = _relation(sentence, relations[-1].name if relations else "")
        if any(source not in {r.name for r in relations} for source in relation.sources):
            raise ValueError(f"not a problem of the embedded world: {sentence!r} names an unknown quantity")
        relations.append(relation)
    return Graph(query[1], tuple(relations), query[2])


def _relation(sentence: str, previous: str) -> Relation:
    """The relation that a sentence states; "That" is the quantity of the sentence before."""
    for kind, pattern in _PATTERNS.items():
        if match := re.fullmatch(pattern, sentence):
            part = match.groupdict()
            number = int(part.get("number") or 0)
            if kind == "inverse":
                turned = {"more": "more_than_known", "fewer": "less_than_known"}[part["word"]]
                return Relation(part["name"], turned, (previous,), number)
            sources = tuple(part[key] for key in ("source", "second") if key in part)
            return Relation(part["name"], part.get("word") or kind, sources, number)
    raise ValueError(f"not a sentence of the embedded world: {sentence!r}")


def generate(rng: random.Random, steps: int) -> Graph:
    """A random problem of `steps` quantities to compute, in consecutive months, all of them needed for the last."""
    while True:
        graph = _attempt(rng, steps)
        if graph is not None and len(graph.needed()) == steps:
            return graph


def _attempt(rng: random.Random, steps: int) -> Graph | None:
    start = rng.randrange(len(MONTHS) - steps)
    first, *others = MONTHS[start : start + steps + 1]
    relations = [Relation(first, "given", (), rng.randint(3, 40))]
    known = {first: relations[0].number}
    for name in others:
        relation = _random_relation(rng, name, list(known))
        value = compute(*relation.operation(known))
        if not 1 <= value <= LARGEST:
            return None
        known[name] = value
        relations.append(relation)
    return Graph(rng.choice(ITEMS), tuple(relations), others[-1])


def _random_relation(rng: random.Random, name: str, earlier: list[str]) -> Relation:
    """A relation of a new quantity to the one before it (most often) or to others before that."""
    kinds, weights = ("more", "fewer", "times", "together", "more_than_known", "less_than_known"), (4, 4, 3, 3, 3, 3)
    kind = rng.choices(kinds, weights)[0]
    if kind in ("more_than_known", "less_than_known"):
        return Relation(name, kind, (earlier[-1],), rng.randint(2, 12))
    source = earlier[-1] if rng.random() < 0.8 else rng.choice(earlier)
    if kind == "together" and len(earlier) > 1:
        sources = [source, rng.choice([other for other in earlier if other != source])]
        return Relation(name, kind, tuple(rng.sample(sources, 2)))
    if kind in ("times", "together"):
        return Relation(name, "times", (source,), rng.randint(2, 3))
    return Relation(name, kind, (source,), rng.randint(2, 12))


def signature(graph: Graph) -> str:
    """The arithmetic of the whole solution: equal for problems that differ in names, items and order only."""
    known = dict(graph.givens)
    parts = []
    for relation in graph.needed():
        left, sign, right = relation.operation(known)
        known[relation.name] = compute(left, sign, right)
        parts.append(f"{left}{sign}{right}")
    return " ".join(sorted(parts))


def reserved(graph: Graph) -> bool:
    """Whether a problem belongs to evaluation: one in eight by a hash of its arithmetic; all others may train.

    So held-out problems stay held out for every seed and every size of a split, and for the shipped base model too.
    """
    return hashlib.sha256(signature(graph).encode()).digest()[0] % 8 == 0
