"""A model as a judge of held-out pairs of steps: accuracy, consistency under swapped order, calibration.

The judge writes its judgment as always. Then the probabilities of `A` and `B` are read where its verdict stands, after
its own words. A pair's log-odds are the mean of both orders, which cancels a preference for a place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from pipeline.core.means import mean_and_error, named, proportion
from pipeline.core.records import JudgedPair
from pipeline.inference.requests import Task, seed_of
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import judge
from pipeline.methods.psrlm.settings import RATED, Judge, Search
from pipeline.methods.verdicts import turned

BINS = 5  # of equal width, from a coin's confidence to 1
TOO_LONG = (
    "(not asked: prompt and verdict are longer than inference.max_model_len)"  # in the place of the judge's words
)


@dataclass(frozen=True)
class Weighed:
    """A judge's answers on one held-out pair: as shown and with the candidates swapped (letters as shown).

    Log-odds (natural) of `A` against `B` are None where the verdict cannot be read, and where the prompt with the
    judgment no longer fits the context. Where the prompt alone does not, the text is `TOO_LONG`.
    """

    pair_id: str
    winner: str
    straight: str | None
    swapped: str | None
    straight_text: str
    swapped_text: str
    straight_log_odds: float | None = None
    swapped_log_odds: float | None = None

    @property
    def log_odds(self) -> float | None:
        """For the pair's first candidate, mean of both orders."""
        return self._mean(-1)

    @property
    def place_log_odds(self) -> float | None:
        """For whichever candidate is shown first, mean of both orders."""
        return self._mean(1)

    def _mean(self, sign: int) -> float | None:
        if self.straight_log_odds is None or self.swapped_log_odds is None:
            return None
        return (self.straight_log_odds + sign * self.swapped_log_odds) / 2


Held, Row = JudgedPair, Weighed


def key(row: JudgedPair) -> str:
    """A held-out row's own key."""
    return row.pair_id


def task(
    renderer: Renderer, row: JudgedPair, examples: Sequence[JudgedPair], settings: Search, seed: int
) -> Task[Weighed]:
    """Judge one held-out pair in both orders, after worked examples."""
    return weigh(renderer, row, examples, settings.judge)


def weigh(renderer: Renderer, pair: JudgedPair, examples: Sequence[JudgedPair], settings: Judge) -> Task[Weighed]:
    """Judge one held-out pair in both orders, then read the log-odds of each verdict that has none yet.

    examples: pairs that are shown before it with their judgments (the paper's 3-shot M0).
    """
    family, shown = renderer.family, ((pair.a, pair.b), (pair.b, pair.a))
    worked = [judge.prompt(family, e.prompt, e.steps, e.a, e.b) + e.judgment for e in examples]
    own = [judge.prompt(family, pair.prompt, pair.steps, a, b, renderer.special) for a, b in shown]
    prompts, seeds = ["\n\n".join([*worked, text]) for text in own], [seed_of(pair.pair_id, a, b) for a, b in shown]
    verdicts = yield from judge.ask(renderer, prompts, seeds, settings)
    odds = [one.log_odds for one in verdicts]
    again = [k for k, one in enumerate(verdicts) if one.log_odds is None and one.winner is not None]
    before = [judge.VERDICT.split(verdicts[k].text)[0] for k in again]
    turns = [renderer.turn(prompts[k]) for k in again]
    answers = yield [judge.letters(renderer, ids, words) for ids, words in zip(turns, before, strict=True)]
    for k, answer in zip(again, answers, strict=True):
        odds[k] = judge.log_odds(answer)
    straight, swapped = verdicts
    winners = straight.winner, swapped.winner
    first, second = (one.text if one.tokens else TOO_LONG for one in verdicts)  # what is asked samples a token at least
    return Weighed(pair.pair_id, pair.winner, *winners, first, second, *odds)


def quality(opinions: Sequence[Weighed]) -> dict[str, Any]:
    """Quality on all held-out pairs, its calibration, and apart the quality on pairs that people rated.

    verdicts: both of every pair in their order (`?`: unreadable), which the report compares with another judge's.
    """
    result = judge_quality(opinions) | {"calibration": calibration(opinions)}
    result["verdicts"] = " ".join(f"{o.straight or '?'}{o.swapped or '?'}" for o in opinions)
    rated = [opinion for opinion in opinions if opinion.pair_id.startswith(RATED)]
    return result | ({"human": judge_quality(rated)} if rated else {})


def judge_quality(opinions: Sequence[Weighed]) -> dict[str, Any]:
    """Accuracy of the judge on held-out pairs as shown (paper, table 3) and swapped, and its consistency.

    An unreadable verdict counts as wrong and as inconsistent, a tie as wrong; so does one whose prompt did not fit the
    context (`too_long`). Consistency: both orders name the same candidate, or both a tie.
    """
    swapped, _ = proportion([turned(o.swapped) == o.winner for o in opinions])
    readable = [o for o in opinions if o.straight and o.swapped]
    too_long = [o for o in opinions if TOO_LONG in (o.straight_text, o.swapped_text)]
    agree = [o.straight is not None and o.straight == turned(o.swapped) for o in opinions]
    return {
        "pairs": len(opinions),
        **named("judge_accuracy", proportion([o.straight == o.winner for o in opinions])),
        "judge_accuracy_swapped": swapped,
        **named("consistency", proportion(agree)),
        "ties": sum(o.straight == "C" for o in opinions) / len(opinions),
        "unreadable": 1 - (len(readable) + len(too_long)) / len(opinions),
        "too_long": len(too_long) / len(opinions),
    }


def calibration(rows: Sequence[Weighed]) -> dict[str, Any]:
    """Calibration of a judge's log-odds on pairs without ties; pairs without log-odds are left out and counted.

    accuracy: share in which the likelier candidate is the better one. brier: mean squared distance of the first
    candidate's probability from 1 or 0 (0.25 for a coin). error: expected calibration error, the mean distance of
    confidence and accuracy over bins of confidence, weighted by their pairs (Guo et al. 2017); its standard error takes
    each bin's sign as given. first: log-odds for whichever candidate is shown first.
    """
    known = [row for row in rows if row.log_odds is not None]
    result: dict[str, Any] = {"pairs": len(known), "without": len(rows) - len(known)}
    if not known:
        return result
    first = np.array([row.winner == "A" for row in known])
    chance = expit(np.array([row.log_odds for row in known], dtype=float))
    confidence, right = np.maximum(chance, 1 - chance), (chance > 0.5) == first
    numbers = np.minimum((confidence - 0.5) * 2 * BINS, BINS - 1).astype(int)
    bins = [numbers == number for number in np.unique(numbers)]
    beyond = [(confidence - right)[inside] for inside in bins]
    for name, measured in {
        "accuracy": proportion(right.tolist()),
        "brier": mean_and_error(((chance - first) ** 2).tolist()),
        "error": mean_and_error([math.copysign(1, part.sum()) * one for part in beyond for one in part.tolist()]),
        "first": mean_and_error([place for row in known if (place := row.place_log_odds) is not None]),
    }.items():
        result |= named(name, measured)
    result["bins"] = []
    for inside in bins:
        shares = named("accuracy", proportion(right[inside].tolist()))
        result["bins"].append({"pairs": int(inside.sum()), "confidence": float(confidence[inside].mean()), **shares})
    return result
