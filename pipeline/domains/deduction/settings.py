"""The section `deduction` of params.yaml: the embedded world of proofs."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline.core.config import Name
from pipeline.domains import worlds


def _ordered(split: tuple[int, int, int]) -> tuple[int, int, int]:
    if not 1 <= split[0] <= split[1] or split[2] < 1:
        raise ValueError("must be [fewest rules of a proof, at least 1; most rules; problems]")
    return split


class Settings(worlds.Settings):
    """Theories with a query, made by a seed."""

    splits: dict[Name, Annotated[tuple[int, int, int], AfterValidator(_ordered)]] = Field(
        min_length=1, description="evaluation splits: fewest rules of a proof, most rules, problems"
    )
