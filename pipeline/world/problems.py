"""Word problems as dependency graphs of quantities: generate, write as text, read back, solve."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

NAMES = [
    "Ana",
    "Ben",
    "Cleo",
    "Dan",
    "Eva",
    "Finn",
    "Gia",
    "Hugo",
    "Ida",
    "Jon",
    "Kira",
    "Leo",
    "Mia",
    "Ned",
    "Olga",
    "Paul",
    "Quin",
    "Rosa",
    "Sam",
    "Tess",
    "Uma",
    "Vic",
    "Wen",
    "Yara",
]
ITEMS = ["apples", "books", "coins", "pens", "cards", "shells", "stamps", "cups", "keys", "beads"]
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

    def operation(self, known: dict[str, int]) -> tuple[int, str, int]:
        """The step's arithmetic as (left operand, sign, right operand), with values from `known`."""
        first = known[self.sources[0]]
        match self.kind:
            case "more" | "less_than_known":
                return first, "+", self.number
            case "fewer" | "more_than_known":
                return first, "-", self.number
            case "times":
                return first, "*", self.number
            case "together":
                return first, "+", known[self.sources[1]]
        raise ValueError(f"a {self.kind} quantity has no operation")


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
    "given": "{name} has {number} {item}.",
    "more": "{name} has {number} more {item} than {0}.",
    "fewer": "{name} has {number} fewer {item} than {0}.",
    "times": "{name} has {number} times as many {item} as {0}.",
    "together": "{name} has as many {item} as {0} and {1} together.",
    "more_than_known": "{0} has {number} more {item} than {name}.",
    "less_than_known": "{0} has {number} fewer {item} than {name}.",
}
QUESTION = "How many {item} does {asked} have?"


def write(graph: Graph, rng: random.Random) -> str:
    """The problem's text: one sentence a relation in computing order, unneeded ones anywhere, then the question."""
    needed = {relation.name for relation in graph.needed()}
    ordered = [r for r in graph.relations if r.name in needed or r.kind == "given"]
    for relation in graph.relations:
        if relation not in ordered:
            ordered.insert(rng.randint(1, len(ordered)), relation)
    sentences = [SENTENCES[r.kind].format(*r.sources, name=r.name, number=r.number, item=graph.item) for r in ordered]
    return " ".join([*sentences, QUESTION.format(item=graph.item, asked=graph.asked)])


_PATTERNS = {
    "given": r"(?P<name>\w+) has (?P<number>\d+) (?P<item>\w+)",
    "more_or_fewer": r"(?P<name>\w+) has (?P<number>\d+) (?P<word>more|fewer) (?P<item>\w+) than (?P<source>\w+)",
    "times": r"(?P<name>\w+) has (?P<number>\d+) times as many (?P<item>\w+) as (?P<source>\w+)",
    "together": r"(?P<name>\w+) has as many (?P<item>\w+) as (?P<source>\w+) and (?P<second>\w+) together",
}


def read(text: str) -> Graph:
    """The graph of a problem of this world, from its text alone.

    Raises ValueError where the text is not a problem of this world.
    """
    *sentences, question = re.split(r"(?<=[.?])\s+", text.strip())
    asked = re.fullmatch(r"How many (\w+) does (\w+) have\?", question)
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


def generate(rng: random.Random, steps: int, distractors: int) -> Graph:
    """A random problem whose solution has exactly `steps` steps, with `distractors` unneeded quantities."""
    while True:
        graph = _attempt(rng, steps, distractors)
        if graph is not None and len(graph.needed()) == steps:
            return graph


def _attempt(rng: random.Random, steps: int, distractors: int) -> Graph | None:
    names = rng.sample(NAMES, len(NAMES))
    relations: list[Relation] = []
    known: dict[str, int] = {}

    def add(relation: Relation) -> bool:
        value = relation.number if relation.kind == "given" else compute(*relation.operation(known))
        if 1 <= value <= LARGEST:
            known[relation.name] = value
            relations.append(relation)
        return 1 <= value <= LARGEST

    add(Relation(names.pop(), "given", (), rng.randint(3, 40)))
    last = relations[0].name
    for _ in range(steps):
        kind = rng.choices(
            ("more", "fewer", "times", "together", "more_than_known", "less_than_known"), (4, 4, 3, 3, 2, 2)
        )[0]
        sources: tuple[str, ...] = (last,)
        if kind == "together":
            others = [name for name in known if name != last]
            if not others or rng.random() < 0.3:
                add(Relation(names.pop(), "given", (), rng.randint(3, 40)))
                others = [relations[-1].name]
            sources = (last, rng.choice(others))
            if rng.random() < 0.5:
                sources = sources[::-1]
        number = 0 if kind == "together" else rng.randint(2, 3) if kind == "times" else rng.randint(2, 12)
        relation = Relation(names.pop(), kind, sources, number)
        if not add(relation):
            return None
        last = relation.name
    for _ in range(distractors):
        source = rng.choice(list(known))
        if not add(Relation(names.pop(), rng.choice(("more", "fewer")), (source,), rng.randint(2, 12))):
            return None
    item = rng.choice(ITEMS)
    return Graph(item, tuple(relations), last)


def signature(graph: Graph) -> str:
    """The arithmetic of the whole solution: equal for problems that differ in names, items and order only."""
    known = dict(graph.givens)
    parts = []
    for relation in graph.needed():
        left, sign, right = relation.operation(known)
        known[relation.name] = compute(left, sign, right)
        parts.append(f"{left}{sign}{right}")
    return " ".join(sorted(parts))
