"""Scoring whole solutions from 0 to 5 by an additive rubric, as SRLM does (Yuan et al. 2024, section 2.2).

A score is the mean of several sampled judgments. A judgment without a readable score is no score: it is kept as data
(score None) and counted, and never taken for a low one.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence

from pipeline.core.records import ScoredSolution, Scoring
from pipeline.inference.requests import Completion, Request, samples, seed_of
from pipeline.language import fences
from pipeline.language.renderer import Renderer
from pipeline.methods.srlm.settings import Scorer

SCORE = re.compile(r"\bScore: *(\d+)(?!\d|\.\d)")
LARGEST = 5
_PROMPT, _REPLY = "solution_judge", (SCORE, r"Score \1")

Scorings = tuple[Scoring, ...]


def shown(family: str, solution: str, special: Sequence[str] = ()) -> str:
    """A solution as the scorer sees it: no special tokens or control characters, no score in its form, no fence."""
    return fences.shown(family, _PROMPT, special, _REPLY, solution=solution)["solution"]


def prompt(family: str, problem: str, solution: str, special: Sequence[str] = ()) -> str:
    """The scorer's prompt for one solution."""
    return fences.fill(family, _PROMPT, special, _REPLY, problem, solution=solution)


def parse(text: str) -> int | None:
    """The score in the judge's words; None where there is none to be read (see `read`)."""
    score = read(text)
    return score if isinstance(score, int) else None


def read(text: str) -> int | str:
    """The score in the judge's words, or why there is none: `no_score`, `several_scores`, `other_digits` (of another
    script than 0 to 9), `above_5`."""
    scores = {digits.lstrip("0") or "0" for digits in SCORE.findall(text)}
    if len(scores) != 1:
        return "several_scores" if scores else "no_score"
    (digits,) = scores
    if not digits.isascii():
        return "other_digits"
    return int(digits) if len(digits) == 1 and int(digits) <= LARGEST else "above_5"


def mean(scorings: Scorings) -> float | None:
    """Mean of the readable scores, None if there is none."""
    scores = [scoring.score for scoring in scorings if scoring.score is not None]
    return sum(scores) / len(scores) if scores else None


def score(
    renderer: Renderer, shown: Sequence[str], settings: Scorer, seed: int
) -> Generator[list[Request], list[Completion], list[Scorings]]:
    """`settings.samples` judgments for each of the prompts `shown`, all in one batch."""
    requests: list[Request] = []
    for text in shown:
        own_seed = seed_of(seed, "score", text)
        requests += samples(renderer, renderer.turn(text), settings.sampling, settings.samples, own_seed)
    answers = yield requests
    scorings = [Scoring(answer.text, parse(answer.text), answer.tokens) for answer in answers]
    return [tuple(scorings[i : i + settings.samples]) for i in range(0, len(scorings), settings.samples)]


def few_shot(family: str, examples: Sequence[ScoredSolution], text: str) -> str:
    """`text` after worked examples of the same prompt with their judgments, for models that never learned to score."""
    parts = [prompt(family, e.prompt, e.solution) + e.judgment for e in examples]
    return "\n\n".join([*parts, text])
