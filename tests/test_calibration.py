"""Log-odds of verdicts: where they are read, and how far they can be trusted."""

from __future__ import annotations

import pytest
from conftest import judge

from pipeline.core.records import JudgedPair
from pipeline.inference.requests import Completion
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm.measure import Weighed, calibration, weigh

SETTINGS = judge()
PAIR = JudgedPair("e1/0/0", "e1", "A problem.", ("Step 1: 1+1=2",), "Step 2: 2+2=4", "Step 2: 2+2=5", "", "A", 0.9, 0.1)


def weighed(straight: float | None, swapped: float | None, winner: str = "A") -> Weighed:
    return Weighed("p", winner, "A", "B", "", "", straight, swapped)


def test_a_preference_for_the_first_place_cancels_in_the_pair_and_is_reported() -> None:
    rows = [weighed(2.0 + 1.0, -2.0 + 1.0), weighed(-2.0 + 1.0, 2.0 + 1.0, "B")]
    assert [row.log_odds for row in rows] == [2.0, -2.0]
    measured = calibration(rows)
    assert (measured["accuracy"], measured["first"], measured["pairs"], measured["without"]) == (1.0, 1.0, 2, 0)


def test_confidence_that_comes_true_as_often_as_it_says_is_calibrated() -> None:
    sure = 1.0986122886681098  # ln 3: right in three of four
    rows = [weighed(sure, -sure, winner) for winner in "AAAB" * 5]
    measured = calibration(rows)
    assert measured["error"] == pytest.approx(0) and measured["brier"] == pytest.approx(0.1875)
    (only,) = measured["bins"]
    assert (only["pairs"], only["confidence"], only["accuracy"]) == (20, pytest.approx(0.75), 0.75)
    boasting = calibration([weighed(9.0, -9.0, winner) for winner in "AB" * 10])
    assert boasting["error"] == pytest.approx(0.5, abs=1e-3) and boasting["error_se"] == pytest.approx(0.115, abs=1e-3)


def test_large_log_odds_do_not_overflow_and_a_verdict_without_any_is_counted() -> None:
    measured = calibration([weighed(2000.0, -2000.0), weighed(-2000.0, 2000.0), weighed(None, 1.0)])
    assert (measured["accuracy"], measured["brier"], measured["pairs"], measured["without"]) == (0.5, 0.5, 2, 1)
    assert calibration([weighed(None, None)]) == {"pairs": 0, "without": 1}


def test_the_letters_are_weighed_where_the_verdict_stands_after_the_judge_s_own_words(renderer: Renderer) -> None:
    task = weigh(renderer, PAIR, (), SETTINGS)
    straight, _ = next(task)
    requests = task.send([Completion("2+2=4. A [[A]]", "stop", 9, True), Completion("no verdict", "stop", 2, True)])
    (request,) = requests  # the unreadable one is not asked
    before = renderer.tokenizer.decode(request.prompt_ids[len(straight.prompt_ids) :])
    assert request.prompt_ids[: len(straight.prompt_ids)] == straight.prompt_ids
    assert before.replace(" ", "") == "2+2=4.A[["
    assert [renderer.tokenizer.decode([label]).strip() for label in request.labels] == [
        "A",
        "B",
    ] and request.max_tokens == 1
    with pytest.raises(StopIteration) as end:
        task.send([Completion("A", "length", 1, label_logprobs=(-0.5, -3.0))])
    assert (end.value.value.straight_log_odds, end.value.value.swapped_log_odds) == (2.5, None)
    assert (end.value.value.straight, end.value.value.swapped) == ("A", None)
