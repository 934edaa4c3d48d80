"""Word problems as dependency graphs of quantities: generate, write as text, read back, solve."""

from __future__ import annotations

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
    `less_than_known`/`more_than_known` (the sentence compares a known quantity with this one, so that the
    right operation is the opposite of the word in the sentence).
    """

    name: str
    kind: str
    sources: tuple[str, ...] = ()
    number: int = 0

    def formula(self) -> tuple[str, str, str]:
        """How the quantity is computed, as (left, sign, right): a source's name, `+`, `-` or `*`, a name or a number."""
        sign = {"more": "+", "less_than_known": "+", "fewer": "-", "more_than_known": "-", "times": "*", "together": "+"}
        return self.sources[0], sign[self.kind], self.sources[1] if self.kind == "together" else str(self.number)

    def operation(self, known: dict[str, int]) -> tuple[int, str, int]:
        """The formula with values from `known`."""
        left, sign, right = self.formula()
        return known[left], sign, known[right] if self.kind == "together" else self.number


@dataclass(frozen=True)
class Graph:
    """A problem: relations in an order in which they can be computed, and the quantity that is asked."""

    item: str
    relations: tuple[Relation, ...]
    asked: str

    @property
    def by_name(self) -> dict[str, Relation]:
        """Each quantity's relation under its name."""
        return {relation.name: relation for relation in self.relations}

    @property
    def givens(self) -> dict[str, int]:
        """The quantities that the problem states as numbers."""
        return {relation.name: relation.number for relation in self.relations if relation.kind == "given"}

    def needed(self) -> list[Relation]:
        """The relations that the asked quantity depends on, in computing order, without the givens."""
        wanted, by_name = {self.asked}, self.by_name
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
    "more_than_known": "{0} brought {number} more than {name}.",
    "less_than_known": "{0} brought {number} fewer than {name}.",
}
QUESTION = "How many {item} did {asked} bring?"


def write(graph: Graph) -> str:
    """The problem's text: one sentence a relation in computing order, then the question."""
    sentences = [
        SENTENCES[r.kind].format(*r.sources, name=r.name, number=r.number, item=graph.item) for r in graph.relations
    ]
    return " ".join([*sentences, QUESTION.format(item=graph.item, asked=graph.asked)])


_PATTERNS = {
    "given": r"(?P<name>\w+) brought (?P<number>\d+) (?P<item>\w+)",
    "more_or_fewer": r"(?P<name>\w+) brought (?P<number>\d+) (?P<word>more|fewer) than (?P<source>\w+)",
    "times": r"(?P<name>\w+) brought (?P<number>\d+) times as many as (?P<source>\w+)",
    "together": r"(?P<name>\w+) brought as many as (?P<source>\w+) and (?P<second>\w+) together",
}


def read(text: str) -> Graph:
    """The graph of a problem of this world, from its text alone.

    Raises ValueError where the text is not a problem of this world.
    """
    *sentences, question = re.split(r"(?<=[.?])\s+", text.strip())
    asked = re.fullmatch(r"How many (\w+) did (\w+) bring\?", question)
    if asked is None:
        raise ValueError("not a problem of the embedded world: no question at its end")
    found: list[tuple[str, re.Match[str]]] = []
    for sentence in sentences:
        matches = [(kind, re.fullmatch(p + r"\.", sentence)) for kind, p in _PATTERNS.items()]
        kind, match = next(((k, m) for k, m in matches if m), (None, None))
        if kind is None or match is None:
            raise ValueError(f"not a sentence of the embedded world: {sentence!r}")
        found.append((kind, match))
    return Graph(asked[1], tuple(_computing_order(found)), asked[2])


def _computing_order(found: list[tuple[str, re.Match[str]]]) -> list[Relation]:
    """Relations so that each one's sources stand before it; a comparison is read from its known side."""
    done: dict[str, Relation] = {}
    waiting = list(found)
    while waiting:
        ready = next((pair for pair in waiting if _relation(*pair, known=done) is not None), None)
        if ready is None:
            raise ValueError("the problem's quantities cannot be computed from its givens")
        relation = _relation(*ready, known=done)
        assert relation is not None
        done[relation.name] = relation
        waiting.remove(ready)
    return list(done.values())


def _relation(kind: str, match: re.Match[str], known: dict[str, Relation]) -> Relation | None:
    """The relation that a sentence states about a quantity not yet known, or None if it has to wait."""
    part = match.groupdict()
    number = int(part.get("number") or 0)
    if kind == "given":
        return Relation(part["name"], "given", (), number)
    if kind == "together":
        sources = (part["source"], part["second"])
        return Relation(part["name"], kind, sources) if all(s in known for s in sources) else None
    if kind == "times":
        return Relation(part["name"], kind, (part["source"],), number) if part["source"] in known else None
    if part["source"] in known:
        return Relation(part["name"], part["word"], (part["source"],), number)
    if part["name"] in known:
        turned = {"more": "more_than_known", "fewer": "less_than_known"}[part["word"]]
        return Relation(part["source"], turned, (part["name"],), number)
    return None


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
