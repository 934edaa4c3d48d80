"""Step-wise pairwise judging: a prompt, a call, a parse (paper, section 3.3; the prompt after MT-Bench).

The verdict is `[[A]]`, `[[B]]` or, as in MT-Bench, `[[C]]` for a tie. One that cannot be read is data (winner None):
like a tie it counts for neither candidate, and it is reported.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core.params import Judge
from pipeline.core.records import JudgedPair, Verdict
from pipeline.inference import Completion, Request, seed_of
from pipeline.language import harmless, prompts
from pipeline.language.steps import join

VERDICT = re.compile(r"\[\[([ABC])\]\]")


def fenced(text: str, special_tokens: Sequence[str]) -> str:
    """Model text made safe to show to a judge: no special tokens, no control characters, no verdict marks."""
    return harmless.fenced(text, special_tokens, VERDICT, r"[\1]")


def prompt(family: str, problem: str, steps: Sequence[str], a: str, b: str, special: Sequence[str]) -> str:
    """The judge's prompt for candidates `a` and `b` after `steps`."""
    return prompts.fill(
        family,
        "step_judge",
        problem=problem,
        steps=fenced(join(steps), special),
        a=fenced(a, special),
        b=fenced(b, special),
    )


def parse(text: str) -> str | None:
    """`A`, `B` or `C` (a tie) from the judge's words; None where no verdict stands there or more than one."""
    found = set(VERDICT.findall(text))
    return found.pop() if len(found) == 1 else None


def turned(verdict: str | None) -> str | None:
    """The verdict as it reads with the candidates in the other order; None for an unreadable one."""
    return {"A": "B", "B": "A", "C": "C"}[verdict] if verdict else None


@dataclass(frozen=True)
class Ranking:
    """Verdicts on all pairs of candidates, and each one's score: the number of candidates that it beats."""

    verdicts: tuple[Verdict, ...]
    scores: tuple[float, ...]


def request(tokenizer: Any, text: str, settings: Judge, seed: int) -> Request:
    """One judge call."""
    return Request(
        tuple(tokenizer.encode(text, add_special_tokens=False)),
        settings.sampling.max_tokens,
        settings.sampling.temperature,
        settings.sampling.top_p,
        seed=seed,
    )


def rank(
    tokenizer: Any,
    family: str,
    problem: str,
    steps: Sequence[str],
    candidates: Sequence[str],
    settings: Judge,
    seed: int,
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
        text = prompt(family, problem, steps, candidates[a], candidates[b], tokenizer.all_special_tokens)
        requests.append(request(tokenizer, text, settings, seed_of(seed, "judge", a, b)))
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
    parts = [prompt(family, e.prompt, e.steps, e.a, e.b, ()) + e.judgment for e in examples]
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


def both_orders(
    tokenizer: Any, family: str, pair: JudgedPair, examples: Sequence[JudgedPair], settings: Judge
) -> list[Request]:
    """Ask about one held-out pair as shown, and with its candidates swapped."""
    special = tokenizer.all_special_tokens
    requests = []
    for a, b in ((pair.a, pair.b), (pair.b, pair.a)):
        text = few_shot(family, examples, prompt(family, pair.prompt, pair.steps, a, b, special))
        requests.append(request(tokenizer, text, settings, seed_of(pair.pair_id, a, b)))
    return requests
