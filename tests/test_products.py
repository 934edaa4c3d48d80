"""A stage whose product is empty stops with one line."""

from __future__ import annotations

import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.products import SEARCHED, require_some
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
