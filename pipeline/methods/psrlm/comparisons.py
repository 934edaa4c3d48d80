"""What verdicts on pairs of candidates come to, and which of them are still needed. Nothing is asked here.

A schedule reads the verdicts so far and gives the next questions, none once best and worst are decided: so the
verdicts that a record holds show by themselves that no further one was needed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.core.records import Verdict
from pipeline.inference.requests import seed_of
from pipeline.methods.psrlm.settings import Judge

Shown = tuple[int, int]  # the candidates shown as A and as B


def orders(count: int, settings: Judge, seed: int) -> dict[Shown, tuple[Shown, ...]]:
    """The orders in which each pair (i, j), i < j, of `count` candidates is shown: both, or one drawn by hash."""
    chosen: dict[Shown, tuple[Shown, ...]] = {}
    for i, j in itertools.combinations(range(count), 2):
        both = ((i, j), (j, i))
        chosen[i, j] = both if settings.orders == "both" else (both[seed_of(seed, i, j) % 2],)
    return chosen


@dataclass
class Comparisons:
    """Verdicts on candidates, by those shown.

    votes: how many samples each candidate had, which breaks ties. orders: in which each pair (i, j), i < j, is shown.
    margin: where the letters' log-odds decide, how far a pair's mean must be from 0; None where the words decide.
    """

    votes: Sequence[int]
    orders: Mapping[Shown, tuple[Shown, ...]]
    margin: float | None = None
    verdicts: dict[Shown, Verdict] = field(default_factory=dict)

    def possible(self, i: int, j: int) -> set[int | None]:
        """Who may still win the pair: i, j, None (nobody). A win must hold in all orders, or in their mean log-odds."""
        order = self.orders[min(i, j), max(i, j)]
        known = [self.verdicts[shown] for shown in order if shown in self.verdicts]
        complete = len(known) == len(order)
        if self.margin is not None:
            return {_by_odds(known, i, j, self.margin)} if complete else {i, j, None}
        named = {{"A": verdict.a, "B": verdict.b}.get(verdict.winner or "") for verdict in known}
        if not named:
            return {i, j, None}
        if len(named) > 1 or None in named:
            return {None}
        return named if complete else {*named, None}

    def questions(self, i: int, j: int) -> list[Shown]:
        """What to ask next about an open pair: one order, both at once where log-odds are averaged; else nothing."""
        if len(self.possible(i, j)) == 1:
            return []
        missing = [shown for shown in self.orders[min(i, j), max(i, j)] if shown not in self.verdicts]
        return missing if self.margin is not None else missing[:1]

    def unanswered(self) -> list[Shown]:
        """Every order of every pair without a verdict."""
        return [shown for order in self.orders.values() for shown in order if shown not in self.verdicts]

    def wins(self) -> tuple[list[int], list[int]]:
        """For each candidate: how many others it beats, and how many it may come to beat (paper, equation 3)."""
        least, most = [0] * len(self.votes), [0] * len(self.votes)
        for i, j in self.orders:
            possible = self.possible(i, j)
            for one in possible - {None}:
                assert one is not None
                most[one] += 1
                least[one] += len(possible) == 1
        return least, most

    def key(self, index: int, wins: Sequence[int]) -> tuple[int, int, int]:
        """What candidates are ordered by: wins, then votes, then who came first."""
        return wins[index], self.votes[index], -index


Schedule = Callable[[Comparisons], tuple[list[Shown], int, int]]  # the next questions, best and worst so far


def pairs(compared: Comparisons) -> tuple[list[Shown], int, int]:
    """All pairs, but for those that can change neither best nor worst nor the wins of either.

    So every pair, its gap and whether its best is the Condorcet winner are those of all verdicts. Next are asked the
    likeliest best with its closest rival and the likeliest worst with its own.
    """
    least, most = compared.wins()
    everyone = range(len(compared.votes))
    best = max(everyone, key=lambda index: compared.key(index, most))
    worst = min(everyone, key=lambda index: compared.key(index, least))
    above = [compared.key(best, least) > compared.key(j, most) for j in everyone if j != best]
    below = [compared.key(worst, most) < compared.key(j, least) for j in everyone if j != worst]
    questions: list[Shown] = []
    if least[best] < most[best] or not all(above):
        open_to = [j for j in everyone if j != best and compared.questions(best, j)]
        questions += compared.questions(best, max(open_to, key=lambda j: compared.key(j, most)))
    if least[worst] < most[worst] or not all(below):
        open_to = [j for j in everyone if j != worst and compared.questions(worst, j)]
        questions += compared.questions(worst, min(open_to, key=lambda j: compared.key(j, least)))
    return list(dict.fromkeys(questions)), best, worst


def tournament(compared: Comparisons) -> tuple[list[Shown], int, int]:
    """A knockout for the best, which then meets all that it has not met, and one for the worst among its losers.

    Where nobody wins a match, the one with more votes counts as its winner. Wins are those of the matches played.
    """
    nobody = [0] * len(compared.votes)
    ranked = sorted(range(len(nobody)), key=lambda index: compared.key(index, nobody), reverse=True)
    questions, best = _knockout(compared, ranked, winners=True)
    others = [index for index in reversed(ranked) if index != best]
    if not questions:
        questions = [shown for j in others for shown in compared.questions(best, j)]
    if questions:
        return questions, best, others[0]
    losers = [j for j in others if compared.possible(best, j) == {best}] or others
    questions, worst = _knockout(compared, losers, winners=False)
    return questions, best, worst


def _knockout(compared: Comparisons, entrants: Sequence[int], winners: bool) -> tuple[list[Shown], int]:
    """The questions of the first round that is not decided, or none and who is left; one without a match goes on."""
    left = list(entrants)
    while len(left) > 1:
        matches = list(zip(left[::2], left[1::2], strict=False))
        if questions := [shown for match in matches for shown in compared.questions(*match)]:
            return questions, left[0]
        second = [compared.possible(i, j) == ({j} if winners else {i}) for i, j in matches]
        left = [match[goes] for match, goes in zip(matches, second, strict=True)] + left[2 * len(matches) :]
    return [], left[0]


SCHEDULES: Mapping[str, Schedule] = {"pairs": pairs, "tournament": tournament}


def _by_odds(verdicts: Sequence[Verdict], i: int, j: int, margin: float) -> int | None:
    """The winner by the mean log-odds of i against j over all orders; None where one has no log-odds."""
    signed = [(1 if v.a == i else -1) * v.log_odds for v in verdicts if v.log_odds is not None]
    mean = sum(signed) / len(signed) if len(signed) == len(verdicts) else 0.0
    return i if mean > margin else j if mean < -margin else None
