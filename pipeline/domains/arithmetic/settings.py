"""The section `arithmetic` of params.yaml: the embedded world of word problems."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline.core.config import Name
from pipeline.domains import worlds


def _ordered(split: tuple[int, int, int]) -> tuple[int, int, int]:
    if not 2 <= split[0] <= split[1] or split[2] < 1:
        raise ValueError("must be [fewest steps, at least 2; most steps; problems]")
    return split


class Settings(worlds.Settings):
    """Word problems made by a seed."""

    splits: dict[Name, Annotated[tuple[int, int, int], AfterValidator(_ordered)]] = Field(
        min_length=1, description="evaluation splits: fewest steps, most steps, problems"
    )
