"""Judge diagnostics on verdicts whose answers are known."""

from __future__ import annotations

import itertools
import math

import pytest

from pipeline.core.records import Candidate, State, Tree, Verdict
from pipeline.methods import verdicts


def tree(beats: set[tuple[int, int]], texts: list[str], name: str = "p", lone: bool = False) -> Tree:
    """One state whose judge names `i` over `j` in both orders (one, if `lone`) for every (i, j) of `beats`."""
    judgments = []
    for i, j in itertools.combinations(range(len(texts)), 2):
        for a, b in [(i, j)] if lone else [(i, j), (j, i)]:
            winner = "A" if (a, b) in beats else "B" if (b, a) in beats else "C"
            judgments.append(Verdict(a, b, f"[[{winner}]]", winner))
    candidates = tuple(Candidate(f"Step 1: {text}", 1, 0.0, "step", False) for text in texts)
    return Tree(name, "q", (State((), candidates, tuple(judgments), "step", 0, 1, False, in_full=True),), (), "answer")


def test_a_cycle_is_told_from_an_order() -> None:
    order, cycle = {(0, 1), (1, 2), (0, 2)}, {(0, 1), (1, 2), (2, 0)}
    result = verdicts.diagnostics([tree(order, ["a", "b", "c"]), tree(cycle, ["a", "b", "c"])])
    assert (result["triples"], result["cyclic"], result["decided"], result["consistency"]) == (2, 0.5, 1.0, 1.0)
    assert result["cyclic_se"] == pytest.approx(0.5)


def test_an_undecided_pair_makes_no_triple() -> None:
    result = verdicts.diagnostics([tree({(0, 1), (1, 2)}, ["a", "b", "c"])])
    assert (result["triples"], result["cyclic"], result["decided"], result["ties"]) == (0, None, 2 / 3, 1 / 3)


def test_a_judge_that_always_names_the_first_is_inconsistent_and_shows_its_bias() -> None:
    judgments = (
        Verdict(0, 1, "[[A]]", "A"),
        Verdict(1, 0, "[[A]]", "A"),
        Verdict(0, 2, "?", None),
        Verdict(2, 0, "?", None),
    )
    candidates = tree(set(), ["a", "b", "c"]).states[0].candidates
    state = State(("Step 1: x",), candidates, judgments, "tie", None, None, False, in_full=True)
    result = verdicts.diagnostics([Tree("p", "q", (state,), (), "max_steps")])
    assert (result["named_a"], result["consistency"], result["unreadable"], result["decided"]) == (1.0, 0.0, 0.5, 0.0)
    assert result["by_step"] == {"02": {"A": 2, "unreadable": 2}}


def test_length_is_correlated_with_wins_whichever_way_the_pair_is_written() -> None:
    longer, shorter = tree({(0, 1)}, ["aaaa", "a"]), tree({(1, 0)}, ["aaaa", "a"])
    always = verdicts.diagnostics([longer, longer])
    assert (always["longer_wins"], always["length_correlation"]) == (1.0, pytest.approx(1.0))
    half = verdicts.diagnostics([longer, shorter])
    assert (half["longer_wins"], half["length_correlation"]) == (0.5, 0.0)


def test_one_order_gives_no_consistency_but_all_else() -> None:
    result = verdicts.diagnostics([tree({(0, 1)}, ["aa", "b"], lone=True)])
    assert (result["consistency"], result["decided"], result["longer_wins"]) == (None, 1.0, 1.0)


def test_the_jackknife_error_of_a_mean_is_its_standard_error() -> None:
    trees = [tree({(0, 1)} if n % 3 else {(1, 0)}, ["aa", "b"], f"p{n}") for n in range(12)]
    share, error = (verdicts.diagnostics(trees)[name] for name in ("longer_wins", "longer_wins_se"))
    assert error == pytest.approx(math.sqrt(share * (1 - share) / 11))
