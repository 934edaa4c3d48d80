"""What params.yaml says of trainings, in TRL's terms; machine.yaml holds how they are run."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from pipeline.core.config import Count, Positive, Section, Share


class Lora(Section):
    """Low-rank adapters in the place of all weights (Hu et al. 2021), merged into the model when it is saved."""

    in_one_line: ClassVar[bool] = True
    rank: Count = Field(default=0, description="0: all weights are trained")
    alpha: Positive = 16
    dropout: Share = 0.0
    targets: tuple[str, ...] = Field(default=(), description="modules by name; []: all linear ones")


class Training(Section):
    """One cosine schedule with warm-up."""

    epochs: Positive
    batch_size: Positive = Field(description="rows of one update, on all devices together")
    learning_rate: float = Field(gt=0)
    warmup_ratio: Share = Field(description="share of all updates")
    max_length: Positive = Field(description="tokens; longer rows are left out")
    bf16: bool = Field(description="autocast; slow on a CPU without such instructions")
    saved_dtype: Literal["float32", "bfloat16"] = Field(default="float32", description="of the saved weights")
    lora: Lora = Lora()


class LossWeights(Section):
    """Weights of TRL's losses: `sigmoid` is DPO's, a sum over tokens; `sft` is on the chosen step, a mean over tokens.

    A weight of `sft` of the number of tokens in a step makes it as strong as the summed log-likelihood.
    """

    in_one_line: ClassVar[bool] = True
    sigmoid: float = Field(ge=0)
    sft: float = Field(ge=0)

    @model_validator(mode="after")
    def _some_loss(self) -> LossWeights:
        if self.sigmoid == self.sft == 0:
            raise ValueError("one of sigmoid and sft must be above 0")
        return self


class Dpo(Training):
    """Step-wise DPO."""

    beta: float = Field(gt=0)
    loss_weights: LossWeights = Field(description="of the preference loss, and of the mean log-likelihood of chosen")


class Base(Section):
    """The base model M0."""

    model: str = Field(min_length=1, description="shipped, train (the domain's recipe), a model folder or a Hub id")
