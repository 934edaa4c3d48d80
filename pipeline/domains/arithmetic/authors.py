"""Who writes the pre-training corpus of this world, beside the careless authors: pupils with other slips, examiners."""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from functools import partial

from pipeline.domains import worlds
from pipeline.domains.arithmetic import exact, misconceptions
from pipeline.domains.arithmetic.exact import right
from pipeline.domains.arithmetic.graphs import ITEMS, LARGEST, MONTHS, Graph, compute, generate, reserved, write
from pipeline.domains.arithmetic.misconceptions import next_step, write_steps
from pipeline.domains.arithmetic.oracle import mark
from pipeline.domains.math.boxes import answer_end
from pipeline.language import prompts
from pipeline.training import corpus

__all__ = [
    "FAMILY", "candidate", "explain", "finished", "longest", "mark", "marked", "next_step", "problem", "reserved",
    "right", "short", "two_lines", "write_steps",
]  # fmt: skip

FAMILY = "arithmetic"
explain = partial(worlds.explain, exact)
_NOUNS = """
apple arrow badge basket beach bell bench bird boat book bottle bowl box branch bread brick bridge brush bucket
button cabin cake camera candle card carpet castle chair chain chalk cheese circle clock cloud coat coffee coin
corner cotton cradle crown cup curtain desk dish door dress drum eagle engine fence ferry field finger flag floor
flower forest fork fruit garden gate glass glove grain grass hammer harbour hat hill honey horse island jacket
kettle kitchen ladder lake lamp leaf lemon lion lock maple market mirror moon mountain needle nest net ocean onion
orange oven paint paper pearl pencil piano pillow plate pocket pond queen rabbit rain ribbon ring river road roof
rope rose sail salt scarf school sheep shelf shell ship shoe silk silver sister snow soap song spoon square stair
star stone storm sugar sun table tail tiger tower train tree valley village violin wagon wall water wheel whistle
window winter wolf wood wool yard
"""
_WORDS = [*MONTHS, *ITEMS, *_NOUNS.split()]


def problem(rng: random.Random) -> tuple[Graph, str]:
    """A problem of one to seven steps, short ones more often, as graph and text."""
    steps = rng.choices(range(1, 8), (20, 20, 18, 14, 11, 9, 8))[0]
    graph = generate(rng, steps)
    return graph, write(graph)


def longest(graph: Graph) -> int:
    """Every needed quantity, then the answer."""
    return len(graph.needed()) + 1


def finished(step: str) -> bool:
    """Whether a step boxes an answer."""
    return answer_end(step) is not None


def candidate(graph: Graph, before: list[str], rng: random.Random) -> str:
    """A next step as a pupil might write it: right, with a misconception, or with another slip."""
    known = exact.stated(graph, before)
    kind = rng.random()
    if kind < 0.45:
        text = exact.next_step(graph, before)
    elif kind < 0.85 and graph.query not in known:
        relation = next(r for r in graph.needed() if r.name not in known)
        slip = misconceptions.claim(relation, known, rng, rate=1.0)
        off = rng.choice((-10, -2, -1, 1, 2, 10)) if kind > 0.8 else 0
        text = replace(slip, value=max(0, slip.value + off)).text()
    else:
        text = _other_slip(graph, known, rng)
    return f"Step {len(before) + 1}: {text}"


def _other_slip(graph: Graph, known: dict[str, int], rng: random.Random) -> str:
    """A wrong number boxed, the answer given too early, a known quantity computed again, or a wrong source."""
    if rng.random() < 0.3:
        return exact.final(rng.choice(list(known.values())))
    relation = rng.choice([r for r in graph.relations if r.kind != "given"])
    sources = tuple(s if s in known and rng.random() < 0.5 else rng.choice(list(known)) for s in relation.sources)
    return misconceptions.claim(replace(relation, sources=sources), known, rng, rate=0.3).text()


def short(rng: random.Random) -> tuple[str, str]:
    """Words said again in their order, computations with letters in another one, or two lines of which one is right.

    Words are there because copying in order is the look-up that is learned first, and all others come from it (which
    of two names a sum adds second, which step a note rewrites); letters, A or B after each word or computation,
    because a note's label is such a look-up too.
    """
    kind = rng.random()
    if kind < 0.1:
        return two_lines(rng)
    if kind < 0.7:
        lines = again = worlds.words_again(rng, _WORDS, letters=kind > 0.55)
    elif kind < 0.9:
        pairs = [rng.sample(MONTHS, 2) for _ in range(rng.randint(2, 8))]
        lines, again = [" and ".join(pair) for pair in pairs], ["+".join(pair) for pair in pairs]
    else:
        lines = [f"{_even_claim(rng).text()} {rng.choice('AB')}" for _ in range(rng.randint(2, 6))]
        again = rng.sample(lines, len(lines))
    return prompts.fill(FAMILY, "again", lines=" ".join(lines)), " ".join(again)


def two_lines(rng: random.Random) -> tuple[str, str]:
    """A short note: one computation with two results, the right line rewritten with its label; one in five has no
    right line (`C`).

    Results are drawn evenly from 1 to 99, because in problems large ones are rare and their labels were confused.
    """
    line = _even_claim(rng)
    first, second = (replace(line, value=value).text() for value in rng.sample(_wrong(line), 2))
    winner = rng.choices("ABC", (2, 2, 1))[0]
    shown = {"A": (line.text(), first), "B": (first, line.text()), "C": (first, second)}[winner]
    prompt = prompts.fill(FAMILY, "lines", a=shown[0], b=shown[1])
    return prompt, f"{line.text()} {winner} ({winner})"


def marked(rng: random.Random) -> tuple[str, str]:
    """A shown solution said again with marks, computations said again with marks, or computations worked out."""
    kind = rng.random()
    if kind < 0.35:
        return _shown_solution(rng)
    if kind < 0.7:
        claims = [_even_claim(rng) for _ in range(rng.randint(4, 12))]
        sums = [(f"{claim.operands[0]}{claim.formula[1]}{claim.operands[1]}", claim.value) for claim in claims]
        shown = " ".join(text for text, _ in sums)
        return prompts.fill(FAMILY, "sums", lines=shown), " ".join(f"{text}={value}" for text, value in sums)
    lines = [(_even_claim(rng), rng.random() < 0.5) for _ in range(rng.randint(2, 6))]
    texts = [(line if right else replace(line, value=rng.choice(_wrong(line)))).text() for line, right in lines]
    again = [f"{text} {'right' if right else 'wrong'}" for text, (_, right) in zip(texts, lines, strict=True)]
    return prompts.fill(FAMILY, "marks", lines=" ".join(texts)), " ".join(again)


def _shown_solution(rng: random.Random) -> tuple[str, str]:
    """Somebody's solution, shown and said again with a mark after each step."""
    while reserved(graph := problem(rng)[0]):
        pass
    document = corpus.shown(sys.modules[__name__], graph, write(graph), rng, points=False)
    return document.prompt, document.steps[0]


def _wrong(line: exact.Claim) -> list[int]:
    """Values that somebody may state instead of the right one."""
    slips = {misconceptions.careless(line.operands[0], line.formula[1], line.operands[1])}
    slips |= {line.value + off for off in (-10, -2, -1, 1, 2, 10)}
    return sorted(slip for slip in slips if 0 <= slip <= LARGEST and slip != line.value)


def _even_claim(rng: random.Random) -> exact.Claim:
    """A right claim whose value is drawn evenly; signs and operands as in problems."""
    value = rng.randint(1, LARGEST)
    name, left, other = rng.sample(MONTHS, 3)
    while True:
        sign = rng.choice("+++--*")
        number = rng.randint(2, 3) if sign == "*" else rng.randint(2, 12)
        together = sign == "+" and rng.random() < 0.4
        second = rng.randint(1, LARGEST) if together else number
        first = {"+": value - second, "-": value + second, "*": value // second}[sign]
        if 1 <= first <= LARGEST and compute(first, sign, second) == value:
            return exact.Claim(name, (left, sign, other if together else str(second)), (first, second), value)
