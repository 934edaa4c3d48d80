"""Step-wise pairwise judging: a prompt, a call, a parse (paper, section 3.3; the prompt after MT-Bench).

The verdict is `[[A]]`, `[[B]]` or, as in MT-Bench, `[[C]]` for a tie. One that cannot be read is data (winner None):
like a tie it counts for neither candidate, and it is reported.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from pipeline.core.records import JudgedPair, Verdict
from pipeline.inference.requests import Completion, Request, sampled, seed_of
from pipeline.language import fences
from pipeline.language.renderer import Renderer
from pipeline.language.steps import join
from pipeline.methods.psrlm.settings import Judge

VERDICT = re.compile(r"\[\[([ABC])\]\]")
_PROMPT, _REPLY = "step_judge", (VERDICT, r"[\1]")


def shown(family: str, special: Sequence[str] = (), **texts: str) -> dict[str, str]:
    """Texts by their fields as the judge sees them: no special tokens or control characters, no verdict, no fence."""
    return fences.shown(family, _PROMPT, special, _REPLY, **texts)


def prompt(family: str, problem: str, steps: Sequence[str], a: str, b: str, special: Sequence[str] = ()) -> str:
    """The judge's prompt for candidates `a` and `b` after `steps`."""
    return fences.fill(family, _PROMPT, special, _REPLY, problem, steps=join(steps), a=a, b=b)


def parse(text: str) -> str | None:
    """`A`, `B` or `C` (a tie) from the judge's words; None where no verdict stands there or more than one."""
    found = set(VERDICT.findall(text))
    return found.pop() if len(found) == 1 else None


@dataclass(frozen=True)
class Ranking:
    """Verdicts on all pairs of candidates, and each one's score: the number of candidates that it beats."""

    verdicts: tuple[Verdict, ...]
    scores: tuple[float, ...]


def rank(
    renderer: Renderer, problem: str, steps: Sequence[str], candidates: Sequence[str], settings: Judge, seed: int
) -> Generator[list[Request], list[Completion], Ranking]:
    """Judge every pair of candidates, in both orders or in one drawn by hash.

    With `both`, a candidate beats another only if both orders say so; with `single`, one verdict decides.
    """
    shown = []
    for i, j in itertools.combinations(range(len(candidates)), 2):
        orders = [(i, j), (j, i)]
        shown += orders if settings.orders == "both" else [orders[seed_of(seed, i, j) % 2]]
    requests = []
    for a, b in shown:
        text = prompt(renderer.family, problem, steps, candidates[a], candidates[b], renderer.special)
        requests.append(sampled(renderer, renderer.turn(text), settings.sampling, seed_of(seed, "judge", a, b)))
    answers = yield requests
    verdicts = tuple(
        Verdict(a, b, answer.text, parse(answer.text), answer.tokens)
        for (a, b), answer in zip(shown, answers, strict=True)
    )
    return Ranking(verdicts, scores(len(candidates), verdicts, needed=2 if settings.orders == "both" else 1))


def scores(count: int, verdicts: Sequence[Verdict], needed: int) -> tuple[float, ...]:
    """Score of each candidate: how many others it beats in at least `needed` verdicts (paper, equation 3)."""
    wins: dict[tuple[int, int], int] = {}
    for verdict in verdicts:
        if verdict.winner in ("A", "B"):
            pair = (verdict.a, verdict.b) if verdict.winner == "A" else (verdict.b, verdict.a)
            wins[pair] = wins.get(pair, 0) + 1
    beaten = [winner for (winner, _), times in wins.items() if times >= needed]
    return tuple(float(beaten.count(index)) for index in range(count))


def few_shot(family: str, examples: Sequence[JudgedPair], text: str) -> str:
    """`text` after worked examples of the same prompt with their judgments (the paper's 3-shot M0)."""
    parts = [prompt(family, e.prompt, e.steps, e.a, e.b) + e.judgment for e in examples]
    return "\n\n".join([*parts, text])


@dataclass(frozen=True)
class Opinion:
    """A judge's answers on one held-out pair: as shown and with the candidates swapped (letters as shown)."""

    pair_id: str
    winner: str
    straight: str | None
    swapped: str | None
    straight_text: str
    swapped_text: str


def both_orders(renderer: Renderer, pair: JudgedPair, examples: Sequence[JudgedPair], settings: Judge) -> list[Request]:
    """Ask about one held-out pair as shown, and with its candidates swapped."""
    family, requests = renderer.family, []
    for a, b in ((pair.a, pair.b), (pair.b, pair.a)):
        text = few_shot(family, examples, prompt(family, pair.prompt, pair.steps, a, b, renderer.special))
        place = seed_of(pair.pair_id, a, b)
        requests.append(sampled(renderer, renderer.turn(text), settings.sampling, place))
    return requests
