"""Log-odds of verdicts: where they are read, and how far they can be trusted."""

from __future__ import annotations

import pytest
from conftest import judge

from pipeline.core.records import JudgedPair, Scoring
from pipeline.inference.requests import Completion
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm.measure import TOO_LONG, Weighed, calibration, quality, weigh
from pipeline.methods.srlm.measure import Estimate
from pipeline.methods.srlm.measure import quality as quality_of_scores

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


@pytest.mark.parametrize("verdict", ["explain", "logprob"])
def test_a_judgment_whose_prompt_does_not_fit_the_context_is_told_from_an_unreadable_one(
    verdict: str, renderer: Renderer
) -> None:
    task = weigh(renderer, PAIR, (PAIR,) * 3, judge(verdict=verdict))
    next(task)
    not_asked, mute = Completion("", "context", 0), Completion("", "stop", 1, True)
    with pytest.raises(StopIteration) as end:
        task.send([not_asked, mute])
        task.send([])
    row = end.value.value
    assert (row.straight, row.straight_text, row.swapped, row.swapped_text) == (None, TOO_LONG, None, "")
    others = [Weighed("b", "A", "A", "B", "a [[A]]", "b [[B]]", 1.0, -1.0), Weighed("c", "A", None, "B", "", "")]
    measured = quality([row, *others, others[0]])
    assert (measured["too_long"], measured["unreadable"], measured["judge_accuracy"]) == (0.25, 0.25, 0.5)
    assert quality(others) == quality(others) | {"too_long": 0, "unreadable": 0.5}
    scored = Estimate("s", "p", 5, (Scoring("Score: 5", 5, 3), Scoring("", None, 0), Scoring("well", None, 2)))
    shares = quality_of_scores([scored])
    assert shares["too_long"] == pytest.approx(1 / 3) == shares["unreadable"]
