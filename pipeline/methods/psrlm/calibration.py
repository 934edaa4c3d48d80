"""How far a judge's verdicts can be trusted: log-odds of its verdict letter, and whether they are calibrated.

The judge is asked as always and writes its judgment. Then the probabilities of `A` and `B` are read where its verdict
stands, after its own words. A pair's log-odds are the mean of both orders, which cancels a preference for a place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scipy.special import expit

from pipeline.core.means import mean_and_error, proportion
from pipeline.core.records import JudgedPair
from pipeline.inference.requests import Task
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import judge
from pipeline.methods.psrlm.judge import Opinion
from pipeline.methods.psrlm.settings import Judge

BINS = 5  # of equal width, from a coin's confidence to 1


@dataclass(frozen=True)
class Weighed(Opinion):
    """An opinion with the log-odds (natural) of `A` against `B` in each order as shown.

    None where the verdict cannot be read, and where the prompt with the judgment no longer fits the context.
    """

    straight_log_odds: float | None
    swapped_log_odds: float | None

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


def weigh(renderer: Renderer, pair: JudgedPair, examples: Sequence[JudgedPair], settings: Judge) -> Task[Weighed]:
    """Judge one held-out pair in both orders, then read the log-odds of each verdict that has none yet."""
    prompts, seeds = judge.both_orders(renderer, pair, examples)
    verdicts = yield from judge.ask(renderer, prompts, seeds, settings)
    again = [k for k, one in enumerate(verdicts) if one.log_odds is None and one.winner is not None]
    answers = yield [judge.letters(renderer, renderer.turn(prompts[k]), _before(verdicts[k].text)) for k in again]
    odds = [one.log_odds for one in verdicts]
    for k, answer in zip(again, answers, strict=True):
        odds[k] = judge.log_odds(answer)
    straight, swapped = verdicts
    winners, texts = (straight.winner, swapped.winner), (straight.text, swapped.text)
    return Weighed(pair.pair_id, pair.winner, *winners, *texts, *odds)


def _before(judgment: str) -> str:
    """The judge's words before its verdict."""
    return judge.VERDICT.split(judgment)[0]


def calibration(rows: Sequence[Weighed]) -> dict[str, Any]:
    """Calibration of a judge's log-odds on pairs without ties; pairs without log-odds are left out and counted.

    accuracy: share in which the likelier candidate is the better one. brier: mean squared distance of the first
    candidate's probability from 1 or 0 (0.25 for a coin). error: expected calibration error, the mean distance of
    confidence and accuracy over bins of confidence, weighted by their pairs (Guo et al. 2017); its standard error takes
    each bin's sign as given. first: log-odds for whichever candidate is shown first.
    """
    known = [
        (row.winner == "A", odds, place)
        for row in rows
        if (odds := row.log_odds) is not None and (place := row.place_log_odds) is not None
    ]
    result: dict[str, Any] = {"pairs": len(known), "without": len(rows) - len(known)}
    if not known:
        return result
    better = [first for first, _, _ in known]
    chances = [float(expit(odds)) for _, odds, _ in known]
    sure = [max(chance, 1 - chance) for chance in chances]
    right = [(chance > 0.5) == first for chance, first in zip(chances, better, strict=True)]
    bins: dict[int, list[int]] = {}
    for index, confidence in enumerate(sure):
        bins.setdefault(min(int((confidence - 0.5) * 2 * BINS), BINS - 1), []).append(index)
    beyond = [confidence - hit for confidence, hit in zip(sure, right, strict=True)]
    signed = [
        math.copysign(1, sum(beyond[i] for i in members)) * beyond[i] for members in bins.values() for i in members
    ]
    for name, (mean, error) in {
        "accuracy": proportion(right),
        "brier": mean_and_error([(chance - first) ** 2 for chance, first in zip(chances, better, strict=True)]),
        "error": mean_and_error(signed),
        "first": mean_and_error([place for _, _, place in known]),
    }.items():
        result |= {name: mean, f"{name}_se": error}
    result["bins"] = []
    for _, members in sorted(bins.items()):
        share, error = proportion([right[i] for i in members])
        confidence = sum(sure[i] for i in members) / len(members)
        result["bins"].append(
            {"pairs": len(members), "confidence": confidence, "accuracy": share, "accuracy_se": error}
        )
    return result
