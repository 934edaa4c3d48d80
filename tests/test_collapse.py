"""A round that may learn from noise says so, and one that learns from a judge does not."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.core import files
from pipeline.core.means import entropy
from pipeline.core.records import Candidate, SampledSolution, SampleSet, Scoring, State, Tree, Verdict
from pipeline.methods.alarm import Alarm, line
from pipeline.methods.psrlm import measure, search
from pipeline.methods.psrlm.measure import Weighed
from pipeline.methods.srlm import search as scored_search
from pipeline.report import collapse
from pipeline.report.metrics import Lineage, collect

ALARM = Alarm(pairs=100, no_choice=0.5, decided=0.5, confidence=0.6)
QUIET = {"no_choice": 0.1, "two_candidates": 100, "decided_of_two": 0.9}


def searched(names: Callable[[int, int], str], count: int = 300, single: int = 0) -> dict[str, Any]:
    """Statistics of searches of one state each, with two candidates judged in both orders; `single` more with one."""
    trees = []
    for number in range(count + single):
        candidates = tuple(Candidate(f"Step 1: {n}", 1, 0.0, "step", False) for n in range(2 if number < count else 1))
        if number < count:
            verdicts = (Verdict(0, 1, "", names(0, 1)), Verdict(1, 0, "", names(1, 0)))
            decided = {verdict.winner for verdict in verdicts} == {"A", "B"}
            outcome = ("step", 0, 1) if decided else ("tie", None, None)
            state = State((), candidates, verdicts, *outcome, False, in_full=True)
        else:
            state = State((), candidates, (), "single", 0, None, False)
        trees.append(Tree(f"p{number}", "", (state,), (), "answer"))
    return search.statistics(trees)


def test_a_judge_that_tosses_a_coin_raises_the_alarm_and_one_that_is_mostly_right_does_not() -> None:
    toss = random.Random(1)
    coin = searched(lambda a, b: toss.choice("AB"))
    assert coin["decided_of_two"] == pytest.approx(0.5, abs=0.06) and coin["entropy"] == pytest.approx(1, abs=0.02)
    assert "of 300 states, 50% may be a coin's" in line(ALARM, coin, 150)
    right = searched(lambda a, b: ("A" if a < b else "B") if toss.random() < 0.9 else toss.choice("AB"))
    assert line(ALARM, right, 150) == ""


def test_a_judge_that_always_says_the_same_has_no_entropy_and_ties_all_states() -> None:
    stuck = searched(lambda a, b: "A")
    assert (stuck["entropy"], stuck["tied"], stuck["decided_of_two"]) == (0.0, 1.0, 0.0)
    assert line(ALARM, stuck, 150)


def test_log_odds_that_decide_without_confidence_raise_the_alarm_and_sure_ones_or_words_do_not() -> None:
    def weighed(straight: float, swapped: float) -> dict[str, Any]:
        odds = (Verdict(0, 1, "", "A", log_odds=straight), Verdict(1, 0, "", "B", log_odds=swapped))
        candidates = tuple(Candidate(f"Step 1: {n}", 1, 0.0, "step", False) for n in range(2))
        state = State((), candidates, odds, "step", 0, 1, False)
        return search.statistics([Tree(f"p{number}", "", (state,), (), "answer") for number in range(200)])

    always_b = weighed(-3.99, -4.01)  # names B in either order; the mean leaves 0.01 for candidate 0
    assert (always_b["decided_of_two"], always_b["confidence"]) == (1.0, pytest.approx(0.5025))
    assert line(ALARM, always_b, 200) == "log-odds give its pairs 50.2%, less than 60%"
    assert line(ALARM, weighed(1.0, -3.0), 200) == ""
    worded = searched(lambda a, b: "A" if a < b else "B")
    assert worded["confidence"] is None and line(ALARM, worded, 200) == ""


def test_problems_without_a_choice_are_counted_and_nothing_is_said_of_a_judge_that_was_not_asked() -> None:
    some = searched(lambda a, b: "A" if a < b else "B", count=100, single=300)
    assert (some["single"], some["no_choice"], some["tied"]) == (0.75, 0.75, 0.0)
    assert line(ALARM, some, 100) == "75% of the problems gave no choice, more than 50%"
    none = searched(lambda a, b: "A", count=0, single=3)
    assert none["tied"] is none["decided_of_two"] is none["entropy"] is None
    assert line(ALARM, none, 100) == "100% of the problems gave no choice, more than 50%"


@pytest.mark.parametrize(
    ("statistics", "pairs", "reason"),
    [
        (QUIET, 100, ""),
        (QUIET, 99, "99 pairs, fewer than 100"),
        (QUIET | {"no_choice": 0.5}, 100, ""),
        (QUIET | {"decided_of_two": 0.61}, 100, ""),
        (QUIET | {"decided_of_two": 0.6}, 100, "of two candidates one was named in 60% of 100 states, 50% may be"),
        (QUIET | {"confidence": 0.6}, 100, ""),
        (QUIET | {"confidence": 0.5045}, 500, "log-odds give its pairs 50.4%, less than 60%"),
        (QUIET | {"confidence": None}, 100, ""),  # worded verdicts
        ({"states": 9}, 100, ""),  # a method that counts none of it
    ],
)
def test_the_alarm_is_raised_beyond_its_thresholds_alone(statistics: Any, pairs: int, reason: str) -> None:
    raised = line(ALARM, statistics, pairs)
    assert raised.startswith(reason) and bool(raised) == bool(reason)


def test_a_scorer_s_search_counts_problems_without_a_choice_and_those_with_one_score_alone() -> None:
    def solution(text: str, score: int | None) -> SampledSolution:
        return SampledSolution(text, 1, "answer", (Scoring("", score),), None if score is None else float(score))

    texts = [(("a", 5), ("b", 5)), (("a", 5), ("b", 1)), (("a", 5),), (("a", 5), ("b", None))]
    signs = scored_search.statistics(
        [SampleSet(str(i), "", tuple(solution(*s) for s in t)) for i, t in enumerate(texts)]
    )
    assert (signs["single"], signs["no_choice"], signs["tied"]) == (0.25, 0.25, 0.5)
    assert signs["entropy"] == entropy([5, 1])


def test_a_round_s_judge_is_compared_with_the_last_round_s_on_the_same_rows(tmp_path: Path) -> None:
    part = {"accuracy": 0.5, "accuracy_se": 0.05}
    verdicts = {"m1": [("A", "B"), ("A", "B")], "m2": [("A", "B"), ("B", "A")], "m3": [("A", "B"), ("B", None)]}
    for model in ("m0", "m1", "m2", "m3", "m4"):
        files.write_json(tmp_path / model / "evaluation.json", {"easy": part, "pooled": part})
        if rows := verdicts.get(model):
            weighed = [Weighed(str(i), "A", a, b, "", "", None, None) for i, (a, b) in enumerate(rows)]
            files.write_json(tmp_path / model / "judge-psrlm.json", measure.quality(weighed))
        if model in ("m2", "m3", "m4"):
            files.write_json(tmp_path / model / "verdicts.json", {"judge": f"m{int(model[1]) - 1}"})
    models = ("m0", "m1", "m2", "m3", "m4")
    lineage = Lineage(models, dict(zip(models, (None, *models), strict=False)), dict.fromkeys(models, "psrlm"), ("m1",))
    metrics = collect(tmp_path, lineage, ["easy"])
    assert "agreement" not in metrics["m2"]["verdicts"]  # M1 is the first to judge a round
    assert [metrics[model]["verdicts"]["agreement"] for model in ("m3", "m4")] == [0.5, 0.75]
    assert all("verdicts" not in metrics[model]["judge-psrlm"] for model in verdicts)


def test_the_report_says_which_round_learns_from_noise_and_why() -> None:
    rounds = {"m2": "", "m3": "34 pairs, fewer than 100"}
    statistics = {**QUIET, "candidates_per_state": 1.5, "single": 0.8, "tied": 0.2, "entropy": 1.4}
    metrics = {model: {"search": statistics, "pairs": {"alarm": reason}} for model, reason in rounds.items()}
    assert collapse.alarms(metrics) == ["m3 may learn from noise: 34 pairs, fewer than 100."]
    table = collapse.table(metrics).ours
    assert table is not None
    cells = [[cell.text for cell in row] for row in table.rows]
    assert cells[0] == ["m2", "1.50", "80.0", "10.0", "20.0", "100", "90.0 ± 3.0", "1.40", "–", "–"]
    assert cells[1][-1] == "34 pairs, fewer than 100"
