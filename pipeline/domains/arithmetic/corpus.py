"""The pre-training corpus of mixed quality: careless solutions, examiners' careful notes, marked homework.

The careless solutions teach the base model to solve, misconceptions included; the notes teach it to find the right one
of two steps, the homework to mark a step. None holds a judgment as EFT adds it.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pipeline.domains.arithmetic import exact, misconceptions
from pipeline.domains.arithmetic.graphs import LARGEST, MONTHS, Graph, compute, generate, reserved, write
from pipeline.domains.arithmetic.settings import Phase
from pipeline.domains.math.boxes import answer_end
from pipeline.language import prompts
from pipeline.language.renderer import Renderer
from pipeline.language.steps import join

FAMILY = "arithmetic"


@dataclass(frozen=True)
class Document:
    """One document: a prompt, and the steps (or the note) that follow it."""

    prompt: str
    steps: tuple[str, ...]


def documents(seed: int, phase: Phase, careless_rate: float) -> Iterator[Document]:
    """A phase's documents; problems whose arithmetic is reserved for evaluation are left out."""
    rng = random.Random(seed)
    produced = 0
    while produced < phase.documents:
        graph, text = problem(rng)
        if reserved(graph):
            continue
        produced += 1
        kind = rng.random()
        if (kind := kind - phase.checks) < 0:
            yield examination(graph, text, rng)
        elif (kind := kind - phase.homework) < 0:
            yield homework(graph, text, rng)
        elif (kind := kind - phase.contrasts) < 0:
            note = examination(graph, text, rng, decided=rng.random() < 0.5)
            yield replace(note, steps=(_closed(note.steps[0], rng),))
        elif kind < phase.lines:
            yield two_lines(rng)
        else:
            prompt = prompts.fill(FAMILY, "reasoning", problem=text)
            yield Document(prompt, tuple(misconceptions.write_steps(graph, rng, careless_rate)))


def texts(seed: int, phase: Phase, careless_rate: float) -> Iterator[str]:
    """Text for the tokenizer: 20,000 documents of a phase's kinds, from a seed of its own."""
    for document in documents(seed + 1, phase.model_copy(update={"documents": 20_000}), careless_rate):
        yield document.prompt + join(document.steps)


def row(renderer: Renderer, document: Document) -> dict[str, list[int]]:
    """A document as token ids, loss on what follows the prompt."""
    prompt, answer = renderer.turn(document.prompt), renderer.steps(document.steps)
    return {"input_ids": prompt + answer, "labels": [-100] * len(prompt) + answer}


def problem(rng: random.Random) -> tuple[Graph, str]:
    """A problem of one to seven steps, short ones more often, as graph and text."""
    steps = rng.choices(range(1, 8), (20, 20, 18, 14, 11, 9, 8))[0]
    graph = generate(rng, steps)
    return graph, write(graph)


def examination(graph: Graph, text: str, rng: random.Random, decided: bool = False) -> Document:
    """An examiner's note: a state of somebody's solution, two next steps, the right one rewritten with its label.

    Both may be wrong, which the label `C` says, unless the note must be `decided`.
    """
    steps = misconceptions.write_steps(graph, rng, rng.choice((0.0, 0.5, 1.0)))
    depth = rng.randrange(len(steps))
    before = steps[:depth]
    for attempt in itertools.count():
        a, b = candidate(graph, before, rng), candidate(graph, before, rng)
        both_right = exact.right(graph, before, a) and exact.right(graph, before, b)
        note, winner = exact.explain(graph, before, a, b)
        # After other people's slips a state may have no right next step (a negative number to add).
        if a != b and not both_right and (winner != "C" or not decided or attempt > 20):
            break
    prompt = prompts.fill(FAMILY, "examination", problem=text, steps=join(before), a=a, b=b)
    return Document(prompt, (f"{note} ({winner})",))


def _closed(note: str, rng: random.Random) -> str:
    """A note with one of several closings, so that saying the label again is a skill and not a habit of one place."""
    text, _, label = note.removesuffix(")").rpartition(" (")
    return text + rng.choice((" ({})", " <{}>", " (({}))", " << {} >>", " so {}", ": therefore ({})")).format(label)


def two_lines(rng: random.Random) -> Document:
    """A short note: one computation with two results, the right line rewritten with its label; one in five has no
    right line (`C`).

    Results are drawn evenly from 1 to 99, because in problems large ones are rare and their labels were confused.
    """
    right = _even_claim(rng)
    a, b, name = right.operands[0], right.operands[1], right.formula[1]
    slips = {misconceptions.careless(a, name, b), *(right.value + off for off in (-10, -2, -1, 1, 2, 10))}
    wrong = sorted(slip for slip in slips if 0 <= slip <= LARGEST and slip != right.value)
    first, second = (replace(right, value=value).text() for value in rng.sample(wrong, 2))
    winner = rng.choices("ABC", (2, 2, 1))[0]
    shown = {"A": (right.text(), first), "B": (first, right.text()), "C": (first, second)}[winner]
    prompt = prompts.fill(FAMILY, "lines", a=shown[0], b=shown[1])
    return Document(prompt, (f"{right.text()} {winner} ({winner})",))


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


def homework(graph: Graph, text: str, rng: random.Random) -> Document:
    """Somebody's solution, slips of every kind in it, with a teacher's mark after each step."""
    rate = rng.choice((0.0, 0.5, 1.0))
    steps: list[str] = []
    marked: list[str] = []
    while len(steps) <= len(graph.needed()) and (not steps or answer_end(steps[-1]) is None):
        odd = rng.random() < 0.15
        step = candidate(graph, steps, rng) if odd else misconceptions.next_step(graph, steps, rng, rate)
        marked.append(f"{step} {'right' if exact.right(graph, steps, step) else 'wrong'}")
        steps.append(step)
    return Document(prompts.fill(FAMILY, "step_label", problem=text), tuple(marked))


def candidate(graph: Graph, before: list[str], rng: random.Random) -> str:
    """A next step as a pupil might write it: right, with a misconception, or with another slip."""
    known = exact.stated(graph, before)
    kind = rng.random()
    if kind < 0.45:
        text = exact.next_step(graph, before)
    elif kind < 0.85 and graph.asked not in known:
        relation = next(r for r in graph.needed() if r.name not in known)
        said = misconceptions.claim(relation, known, rng, rate=1.0)
        off = rng.choice((-10, -2, -1, 1, 2, 10)) if kind > 0.8 else 0
        text = replace(said, value=max(0, said.value + off)).text()
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
