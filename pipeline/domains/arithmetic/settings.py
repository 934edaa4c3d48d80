"""The section `arithmetic` of params.yaml: the embedded world of word problems."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline.core.config import Name, Positive, Section, Seed, Share


def _ordered(split: tuple[int, int, int]) -> tuple[int, int, int]:
    if not 2 <= split[0] <= split[1] or split[2] < 1:
        raise ValueError("must be [fewest steps, at least 2; most steps; problems]")
    return split


class Phase(Section):
    """One phase of pre-training: shares of the kinds of documents; the rest are solutions with misconceptions.

    checks: examiners' notes, some undecided; contrasts: decided ones alone; lines: short ones without a problem;
    homework: marked solutions. matrix_rate: Muon's learning rate for hidden matrices; other_rate: AdamW's for
    embeddings and norms.
    """

    documents: Positive
    checks: Share
    homework: Share
    contrasts: Share
    lines: Share
    matrix_rate: float = Field(gt=0)
    other_rate: float = Field(gt=0)


class Recipe(Section):
    """The recipe of the shipped base model, run by `base.model: train`."""

    width: Annotated[int, Field(ge=32, multiple_of=32)]
    layers: Positive
    context: Positive
    batch_size: Positive = Field(description="documents")
    warmup_ratio: Share
    phases: tuple[Phase, ...] = Field(min_length=1)


class Settings(Section):
    """Word problems made by a seed."""

    seed: Seed = Field(description="of the base model's corpus and of the evaluation problems")
    misconception_rate: Share = Field(description="how often a step open to a misconception shows it in the corpus")
    splits: dict[Name, Annotated[tuple[int, int, int], AfterValidator(_ordered)]] = Field(
        min_length=1, description="evaluation splits: fewest steps, most steps, problems"
    )
    recipe: Recipe

    def evaluation_splits(self) -> list[str]:
        """Names of the splits of the generated evaluation problems."""
        return list(self.splits)
