"""Diagnostics of a judge, from the verdicts that a round's trees hold; each with its standard error.

Only the states that were drawn to be judged in full count: elsewhere a verdict is left out because of what others said.
Verdicts on one problem share steps and candidates, so problems are the units of all errors (delete-one jackknife).
"""

from __future__ import annotations

import itertools
import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.core.means import named
from pipeline.core.records import State, Tree, Verdict
from pipeline.language.steps import body

Sums = Mapping[str, Any]  # of each of `TALLIES` a number, or an array with a number for every tree
Statistic = Callable[[Sums], Any]
TALLIES = (
    "states", "verdicts", "A", "B", "C", "unreadable", "pairs", "in_both_orders", "consistent", "decided", "longer_by",
    "longer_by_squared", "unequal_pairs", "longer_wins", "triples", "cyclic",
)  # fmt: skip


def turned(verdict: str | None) -> str | None:
    """The verdict as it reads with the candidates in the other order; None for an unreadable one."""
    return {"A": "B", "B": "A", "C": "C"}[verdict] if verdict else None


def diagnostics(trees: Iterable[Tree]) -> dict[str, Any]:
    """What the verdicts of all trees say about their judge; `<name>_se` is the standard error of `<name>`.

    states: those judged in full. unreadable, ties: shares of their verdicts. named_a: share of the verdicts for one
    candidate that name the one shown as A (0.5: no position bias where every pair is shown in both orders).
    consistency: share of the pairs judged in both orders whose two verdicts name the same candidate, or both a tie.
    decided: share of the pairs with a winner (all its verdicts name it). cyclic: share of the triples with three
    decided pairs in which i beats j, j beats k and k beats i (a coin gives 0.25). longer_wins: share of the decided
    pairs of unequal length won by the longer step; length_correlation: Pearson correlation of a win with the difference
    in characters, each pair taken in both directions. A value without data is None. by_step: verdicts by the number of
    the judged step.
    """
    sums, steps, number = array("q"), dict[int, Counter[str]](), 0
    for tree in trees:  # which may be more than fit into memory; their tallies are small
        tally, number = tallies(tree), number + 1
        sums.extend(tally[name] for name in TALLIES)
        for state in _in_full(tree):
            winners = (verdict.winner or "unreadable" for verdict in state.verdicts)
            steps.setdefault(len(state.steps) + 1, Counter()).update(winners)
    parts = dict(zip(TALLIES, np.array(sums, dtype=float).reshape(-1, len(TALLIES)).T, strict=True))
    shares: dict[str, Statistic] = {
        "unreadable": _share("unreadable", "verdicts"),
        "ties": _share("C", "verdicts"),
        "named_a": lambda tally: tally["A"] / (tally["A"] + tally["B"]),
        "consistency": _share("consistent", "in_both_orders"),
        "decided": _share("decided", "pairs"),
        "cyclic": _share("cyclic", "triples"),
        "longer_wins": _share("longer_wins", "unequal_pairs"),
        "length_correlation": _length_correlation,
    }
    sizes = ("states", "verdicts", "pairs", "in_both_orders", "triples", "unequal_pairs")
    result: dict[str, Any] = {"trees": number, **{name: int(parts[name].sum()) for name in sizes}}
    for name, statistic in shares.items():
        result |= named(name, jackknife(parts, statistic))
    by_step = {f"{step:02d}": dict(sorted(often.items())) for step, often in sorted(steps.items()) if often}
    return result | {"by_step": by_step}


def _in_full(tree: Tree) -> list[State]:
    return [state for state in tree.states if state.in_full]


def tallies(tree: Tree) -> dict[str, int]:
    """The sums of one tree from which every diagnostic is made."""
    tally = dict.fromkeys(TALLIES, 0)
    for state in _in_full(tree):
        tally["states"] += 1
        tally["verdicts"] += len(state.verdicts)
        for verdict in state.verdicts:
            tally[verdict.winner or "unreadable"] += 1
        winners = {}
        for pair, both in _pairs(state.verdicts).items():
            tally["pairs"] += 1
            if len(both) == 2:
                tally["in_both_orders"] += 1
                tally["consistent"] += both[0] is not None and both[0] == both[1]
            if both[0] in ("A", "B") and len(set(both)) == 1:
                winners[pair] = pair[0] if both[0] == "A" else pair[1]
        tally["decided"] += len(winners)
        _add_lengths(tally, state, winners)
        _add_triples(tally, len(state.candidates), winners)
    return tally


def _pairs(verdicts: Sequence[Verdict]) -> dict[tuple[int, int], list[str | None]]:
    """The verdicts on each pair (i, j) of candidates, i < j, as if i had been shown as A."""
    pairs: dict[tuple[int, int], list[str | None]] = {}
    for verdict in verdicts:
        straight = verdict.a < verdict.b
        pair = (verdict.a, verdict.b) if straight else (verdict.b, verdict.a)
        pairs.setdefault(pair, []).append(verdict.winner if straight else turned(verdict.winner))
    return pairs


def _add_lengths(tally: dict[str, int], state: State, winners: dict[tuple[int, int], int]) -> None:
    lengths = {index: len(body(state.candidates[index].text)) for index in set(itertools.chain(*winners))}
    for (i, j), winner in winners.items():
        longer_by = lengths[winner] - lengths[j if winner == i else i]
        tally["longer_by"] += longer_by
        tally["longer_by_squared"] += longer_by**2
        tally["unequal_pairs"] += longer_by != 0
        tally["longer_wins"] += longer_by > 0


def _add_triples(tally: dict[str, int], candidates: int, winners: dict[tuple[int, int], int]) -> None:
    for i, j, k in itertools.combinations(range(candidates), 3):
        three = [winners.get(pair) for pair in ((i, j), (j, k), (i, k))]
        if None not in three:
            tally["triples"] += 1
            tally["cyclic"] += len(set(three)) == 3  # each of the three wins once


def _share(part: str, whole: str) -> Statistic:
    return lambda tally: tally[part] / tally[whole]


def _length_correlation(tally: Sums) -> Any:
    """Both directions of a pair have the same product and opposite signs, so that both means are zero."""
    return tally["longer_by"] / np.sqrt(tally["decided"] * tally["longer_by_squared"])


def summed(parts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """The sum of all parts."""
    return {name: sum(part[name] for part in parts) for name in TALLIES}


def jackknife(parts: Sums, statistic: Statistic) -> tuple[float | None, float | None]:
    """A statistic of the summed parts and its standard error, leaving out one part at a time (Efron and Stein 1981).

    parts: of each sum, its part in every unit. Both are None where the statistic has no data, the error also where it
    rests on fewer than two parts, or on one part alone.
    """
    total = {name: column.sum() for name, column in parts.items()}
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 / 0 is no data
        value, without = statistic(total), statistic({name: total[name] - column for name, column in parts.items()})
    if np.isnan(value):
        return None, None
    if len(without) < 2 or np.isnan(without).any():
        return float(value), None
    squares = ((without - without.mean()) ** 2).sum()
    return float(value), math.sqrt((len(without) - 1) / len(without) * squares)
