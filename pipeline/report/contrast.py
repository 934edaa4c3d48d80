"""Which method gained more: arms of equally many rounds, and models trained from the same one, beside each other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.report.grid import Table, grid, number, percent, words
from pipeline.report.metrics import Lineage, Metrics, difference


@dataclass(frozen=True)
class Gain:
    """What a method gained in average greedy accuracy, with its unpaired standard error (both shares, not percent).

    name: the method with the models that it led from and to.
    """

    name: str
    points: float
    error: float


@dataclass(frozen=True)
class Contrast:
    """Two gains beside each other. error: standard error of their difference, unpaired; a common start cancels out."""

    one: Gain
    other: Gain
    error: float

    @property
    def difference(self) -> float:
        """How much more `one` gained than `other`."""
        return self.one.points - self.other.points

    def sentence(self) -> str:
        """Which gained more, and whether that is beyond noise."""
        gains = (f"{gain.name} gained {percent(gain.points, gain.error, '+').text}" for gain in (self.one, self.other))
        more = (self.one if self.difference > 0 else self.other).name
        by = percent(abs(self.difference), self.error).text
        noise = "beyond" if abs(self.difference) > 2 * self.error else "within"
        return f"{', '.join(gains)}: {more} gained more by {by} points, {noise} two standard errors."


def arms(metrics: Metrics, lineage: Lineage) -> Iterator[Contrast]:
    """The first arm against each later one of as many rounds from another root."""
    chains = [(chain, ends) for chain in lineage.chains().values() if (ends := lineage.trained(chain))]
    for chain, ends in chains[1:]:
        first, start = chains[0]
        if len(chain) == len(first) and ends[0] != start[0]:
            one, other = (_gain(metrics, lineage, *pair) for pair in (start, ends))
            yield Contrast(one, other, math.hypot(one.error, other.error))


def siblings(metrics: Metrics, lineage: Lineage) -> Iterator[Contrast]:
    """Each model of a round, and each variant, against the first one that was trained from the same model."""
    trained = [model for model in lineage.models if lineage.starts[model] and model not in lineage.roots]
    for model in trained:
        start = lineage.starts[model]
        first = next(other for other in trained if lineage.starts[other] == start)
        if model != first and start:
            error = difference(metrics[first], metrics[model])["delta_average_se"]
            one, other = (_gain(metrics, lineage, start, last) for last in (first, model))
            yield Contrast(one, other, error)


def _gain(metrics: Metrics, lineage: Lineage, first: str, last: str) -> Gain:
    delta = difference(metrics[first], metrics[last])
    return Gain(f"{lineage.methods[last]} ({first} → {last})", delta["delta_average"], delta["delta_average_se"])


def table(metrics: Metrics, lineage: Lineage) -> Table:
    """A line for each contrast."""
    whole = list(arms(metrics, lineage))
    rows = []
    for both in (*whole, *siblings(metrics, lineage)):
        sides = [cell for g in (both.one, both.other) for cell in (words(g.name), percent(g.points, g.error, "+"))]
        errors = both.difference / both.error if both.error else None
        rows.append([*sides, percent(both.difference, both.error, "+"), number(errors, 1, sign="+")])
    note = (
        "Gains in average greedy accuracy, percentage points with one standard error, all unpaired (the models answer "
        "the same problems, so the true errors are rather smaller; psr compare has paired ones). "
    )
    note += " ".join(contrast.sentence() for contrast in whole)
    header = ["method", "gain", "beside", "its gain", "difference", "standard errors"]
    return Table("methods", "Methods beside each other", note.strip(), grid(header, rows))
