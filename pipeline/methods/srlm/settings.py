"""The section `srlm` of params.yaml: whole solutions, scored (Yuan et al. 2024)."""

from __future__ import annotations

from pydantic import Field

from pipeline.core.config import Count, Positive, Sampling, Section

FILE = "solutions.parquet"  # of a search's folder


class EftSearch(Section):
    """Whole solutions that the annotator scores."""

    samples: Positive = Field(description="whole solutions a problem")
    sampling: Sampling


class Eft(Section):
    """Which scored solutions are used."""

    test_rows: Count = Field(description="held out by problem")
    per_score: Count = Field(description="train rows of one score at most; 0: no cap")


class Scorer(Section):
    """How a model scores whole solutions."""

    samples: Positive = Field(description="a score is the mean of so many judgments")
    sampling: Sampling


class Search(Section):
    """Whole solutions, each scored by the model itself (Yuan et al. 2024, section 2.2)."""

    samples: Positive = Field(description="whole solutions a problem")
    sampling: Sampling
    scorer: Scorer


class Pairs(Section):
    """Highest score against the lowest."""

    min_gap: float = Field(ge=0, description="smallest difference in points")


class Settings(Section):
    """Whole solutions, scored from 0 to 5 (the paper's baseline)."""

    eft_search: EftSearch
    eft: Eft
    search: Search
    pairs: Pairs
