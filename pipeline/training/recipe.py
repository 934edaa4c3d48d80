"""The recipe of an embedded world's base model, as its domain's section of params.yaml holds it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.core.config import Positive, Section, Share


class Phase(Section):
    """One phase of pre-training: shares of the kinds of documents; the rest are solutions with misconceptions.

    checks: examiners' notes, some undecided; contrasts: decided ones alone; lines: short exercises without a problem;
    two_lines: notes on two lines without a problem; marks: lines without a problem, marked; homework: marked solutions;
    shown: solutions that the prompt shows, marked and given points. matrix_rate: Muon's learning rate for hidden
    matrices; other_rate: AdamW's for embeddings and norms.
    """

    documents: Positive
    checks: Share
    homework: Share
    contrasts: Share
    lines: Share
    two_lines: Share = 0.0
    marks: Share = 0.0
    shown: Share = 0.0
    matrix_rate: float = Field(gt=0)
    other_rate: float = Field(gt=0)


class Recipe(Section):
    """The recipe of the shipped base model, run by `base.model: train`."""

    width: Annotated[int, Field(ge=32, multiple_of=32)]
    layers: Positive
    context: Positive
    batch_size: Positive = Field(description="documents")
    warmup_ratio: Share
    bf16: bool = Field(description="autocast of the forward pass; weights and optimizers are fp32 in any case")
    phases: tuple[Phase, ...] = Field(min_length=1)
