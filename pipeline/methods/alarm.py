"""When a round may learn from noise: too few pairs, too little to choose from, or a judge that may be a coin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from pipeline.core.config import Count, Section, Share


class Alarm(Section):
    """From when on a line says that a round may learn from noise (statistics, output, report); nothing stops."""

    pairs: Count = Field(
        description="fewer pairs than so many: of 100 a coin gets 50 ± 5 right, so that a judge that gets 60 right is "
        "just two standard errors from it; with fewer it cannot be told"
    )
    no_choice: Share = Field(
        description="a larger share of the problems has no state with two candidates: above 0.5 most teach nothing"
    )
    decided: Share = Field(
        description="of the states with two candidates a share that is not two standard errors above this has a "
        "winner: a coin, tossed in each order, names the same one in half of them"
    )
    confidence: Annotated[float, Field(ge=0.5, le=1)] = Field(
        description="where the letters' log-odds decide (verdict: logprob), a smaller mean probability of chosen over "
        "rejected: a judge that is sure of 0.6 expects 60 of 100 pairs right, two standard errors above a coin"
    )


def line(settings: Alarm, searched: Mapping[str, Any], pairs: int) -> str:
    """Why a round may learn from noise, by the statistics of its search and its number of pairs; "" where it need not.

    What a method's statistics do not count raises no alarm.
    """
    reasons = []
    if pairs < settings.pairs:
        reasons.append(f"{pairs} pairs, fewer than {settings.pairs}")
    if (share := searched.get("no_choice")) is not None and share > settings.no_choice:
        reasons.append(f"{100 * share:.0f}% of the problems gave no choice, more than {100 * settings.no_choice:g}%")
    if (share := searched.get("decided_of_two")) is not None:
        states, least = searched["two_candidates"], settings.decided
        if share <= least + 2 * math.sqrt(least * (1 - least) / states):
            reasons.append(
                f"of two candidates one was named in {100 * share:.0f}% of {states} states, "
                f"{100 * least:g}% may be a coin's"
            )
    if (share := searched.get("confidence")) is not None and share < settings.confidence:
        reasons.append(f"log-odds give its pairs {100 * share:.1f}%, less than {100 * settings.confidence:g}%")
    return "; ".join(reasons)
