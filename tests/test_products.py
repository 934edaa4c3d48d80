"""A stage whose product is empty stops with one line."""

from __future__ import annotations

import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.products import SEARCHED, require_some, require_splits
from pipeline.core.records import Dropped


def test_an_empty_product_is_one_line_that_counts_the_reasons() -> None:
    rows = [Dropped("pairs", f"p/{number}", "tie" if number else "gap", "Step 1:\na" * 50) for number in range(3)]
    with pytest.raises(PipelineError) as caught:
        require_some("pairs", [], rows, SEARCHED)
    line = str(caught.value)
    assert line.startswith("pairs: no row is left of 3 (tie 2, gap 1); the first, p/0: 'Step 1: a") and "\n" not in line
    assert len(line) < 300 and line.endswith(SEARCHED)


def test_a_product_that_is_not_empty_or_was_never_asked_for_passes() -> None:
    require_some("pairs", [1], [Dropped("pairs", "p", "tie", "")], SEARCHED)
    require_some("pairs", [], [], SEARCHED)


@pytest.mark.parametrize(("train", "test"), [([], []), ([1], []), ([], [1])])
def test_eft_data_without_rows_to_train_on_or_to_measure_with_are_one_line(train: list[int], test: list[int]) -> None:
    ties = [Dropped("eft", f"p/{number}", "tie", "Step 1: 2 + 2 = 4") for number in range(662)]
    with pytest.raises(PipelineError) as caught:
        require_splits("eft", train, test, ties)
    line = str(caught.value)
    assert line.startswith(f"eft: {len(train)} rows to train on and {len(test)} held out; both are needed")
    assert "(left out: tie 662)" in line and "\n" not in line
    require_splits("eft", [1], [1], ties)
