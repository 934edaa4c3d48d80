"""Diagnostics of a judge, from the verdicts that a round's trees hold; each with its standard error.

Only the states that were drawn to be judged in full count: elsewhere a verdict is left out because of what others said.
Verdicts on one problem share steps and candidates, so problems are the units of all errors (delete-one jackknife).
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pipeline.core.records import State, Tree, Verdict
from pipeline.language.steps import body

Statistic = Callable[["Counter[str]"], float | None]


def turned(verdict: str | None) -> str | None:
    """The verdict as it reads with the candidates in the other order; None for an unreadable one."""
    return {"A": "B", "B": "A", "C": "C"}[verdict] if verdict else None


def diagnostics(trees: Iterable[Tree]) -> dict[str, Any]:
    """What the verdicts of all trees say about their judge; `<name>_se` is the standard error of `<name>`.

    states: those judged in full. unreadable, ties: shares of their verdicts. named_a: share of the verdicts for one
    candidate that name the one shown as A (0.5: no position bias where every pair is shown in both orders).
    consistency: share of the pairs judged in both orders whose two verdicts name the same candidate, or both a tie.
    decided: share of the pairs with a winner
    (all its verdicts name it). cyclic: share of the triples with three decided pairs in which i beats j, j beats k
    and k beats i (a coin gives 0.25). longer_wins: share of the decided pairs of unequal length won by the longer
    step; length_correlation: Pearson correlation of a win with the difference in characters, each pair taken in both
    directions. A value without data is None. by_step: verdicts by the number of the judged step.
    """
    sums, steps = list[Counter[str]](), dict[int, Counter[str]]()
    for tree in trees:  # which may be more than fit into memory; their tallies are small
        sums.append(tallies(tree))
        for state in _in_full(tree):
            said = (verdict.winner or "unreadable" for verdict in state.verdicts)
            steps.setdefault(len(state.steps) + 1, Counter()).update(said)
    shares: dict[str, Statistic] = {
        "unreadable": _share("unreadable", "verdicts"),
        "ties": _share("C", "verdicts"),
        "named_a": lambda tally: _ratio(tally["A"], tally["A"] + tally["B"]),
        "consistency": _share("consistent", "in_both_orders"),
        "decided": _share("decided", "pairs"),
        "cyclic": _share("cyclic", "triples"),
        "longer_wins": _share("longer_wins", "unequal_pairs"),
        "length_correlation": _length_correlation,
    }
    total = summed(sums)
    sizes = ("states", "verdicts", "pairs", "in_both_orders", "triples", "unequal_pairs")
    found: dict[str, Any] = {"trees": len(sums), **{name: total[name] for name in sizes}}
    for name, statistic in shares.items():
        found[name], found[f"{name}_se"] = jackknife(sums, statistic)
    by_step = {f"{step:02d}": dict(sorted(said.items())) for step, said in sorted(steps.items()) if said}
    return found | {"by_step": by_step}


def _in_full(tree: Tree) -> list[State]:
    return [state for state in tree.states if state.in_full]


def tallies(tree: Tree) -> Counter[str]:
    """The sums of one tree from which every diagnostic is made."""
    tally: Counter[str] = Counter()
    for state in _in_full(tree):
        tally["states"] += 1
        tally["verdicts"] += len(state.verdicts)
        tally.update(verdict.winner or "unreadable" for verdict in state.verdicts)
        winners = {}
        for pair, said in _pairs(state.verdicts).items():
            tally["pairs"] += 1
            if len(said) == 2:
                tally["in_both_orders"] += 1
                tally["consistent"] += said[0] is not None and said[0] == said[1]
            if said[0] in ("A", "B") and len(set(said)) == 1:
                winners[pair] = pair[0] if said[0] == "A" else pair[1]
        tally["decided"] += len(winners)
        tally.update(_lengths(state, winners))
        tally.update(_triples(len(state.candidates), winners))
    return tally


def _pairs(verdicts: Sequence[Verdict]) -> dict[tuple[int, int], list[str | None]]:
    """The verdicts on each pair (i, j) of candidates, i < j, as if i had been shown as A."""
    found: dict[tuple[int, int], list[str | None]] = {}
    for verdict in verdicts:
        straight = verdict.a < verdict.b
        pair = (verdict.a, verdict.b) if straight else (verdict.b, verdict.a)
        found.setdefault(pair, []).append(verdict.winner if straight else turned(verdict.winner))
    return found


def _lengths(state: State, winners: dict[tuple[int, int], int]) -> Counter[str]:
    tally: Counter[str] = Counter()
    for (i, j), winner in winners.items():
        lengths = {index: len(body(state.candidates[index].text)) for index in (i, j)}
        longer_by = lengths[winner] - lengths[j if winner == i else i]
        tally["longer_by"] += longer_by
        tally["longer_by_squared"] += longer_by**2
        tally["unequal_pairs"] += longer_by != 0
        tally["longer_wins"] += longer_by > 0
    return tally


def _triples(candidates: int, winners: dict[tuple[int, int], int]) -> Counter[str]:
    tally: Counter[str] = Counter()
    for i, j, k in itertools.combinations(range(candidates), 3):
        three = [winners.get(pair) for pair in ((i, j), (j, k), (i, k))]
        if None not in three:
            tally["triples"] += 1
            tally["cyclic"] += len(set(three)) == 3  # each of the three wins once
    return tally


def _share(part: str, whole: str) -> Statistic:
    return lambda tally: _ratio(tally[part], tally[whole])


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _length_correlation(tally: Counter[str]) -> float | None:
    """Both directions of a pair have the same product and opposite signs, so that both means are zero."""
    squares = tally["decided"] * tally["longer_by_squared"]
    return tally["longer_by"] / math.sqrt(squares) if squares else None


def summed(parts: Sequence[Counter[str]]) -> Counter[str]:
    """The sum of all parts (`+` would drop negative counts)."""
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return total


def jackknife(parts: Sequence[Counter[str]], statistic: Statistic) -> tuple[float | None, float | None]:
    """A statistic of the summed parts and its standard error, leaving out one part at a time (Efron and Stein 1981).

    Both are None where the statistic has no data, the error also where it rests on fewer than two parts.
    """
    total = summed(parts)
    value = statistic(total)
    if value is None:
        return None, None
    without = []
    for part in parts:
        rest = total.copy()
        rest.subtract(part)
        without.append(statistic(rest))
    known = [one for one in without if one is not None]
    if len(known) < len(without) or len(known) < 2:
        return value, None
    mean = sum(known) / len(known)
    return value, math.sqrt((len(known) - 1) / len(known) * sum((one - mean) ** 2 for one in known))
