"""What params.yaml says of trainings, in TRL's terms; machine.yaml holds how they are run."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from pipeline.core.config import Count, Name, Positive, Sampling, Section, Share
from pipeline.core.errors import PipelineError


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


def rows_at_once(batch_size: int, micro_batch: int, ranks: int) -> tuple[int, int]:
    """(rows that a rank takes at once, times it does so in an update), so that an update has `batch_size` rows.

    micro_batch: 0 is a rank's whole share. Raises PipelineError where that cannot be.
    """
    share, rest = divmod(batch_size, ranks)
    micro = micro_batch or share
    if rest or share % micro:
        raise PipelineError(
            f"batch_size (params.yaml): {batch_size} rows cannot be spread over {ranks} devices by "
            f"{micro_batch or 'equal'} rows; it must be a multiple of devices times training.micro_batch (machine.yaml)"
        )
    return micro, share // micro


class Rollouts(Section):
    """Step labels without people: continuations from a step that reach the gold answer (Math-Shepherd)."""

    policy: Name = Field(description="the model that solves and continues")
    solutions: Positive = Field(description="sampled a problem; equal ones count once")
    continuations: Positive = Field(description="from each step but the last, whose answer says it")
    estimate: Literal["hard", "soft"] = Field(
        description="hard: right if one reaches the gold answer; soft: drawn by hash, as likely as one does"
    )
    sampling: Sampling


class Published(Section):
    """A process reward model that somebody trained, whose language-model head predicts label tokens."""

    in_one_line: ClassVar[bool] = True
    model: str = Field(default="", description='a folder or Hub id; "": one is trained here')
    form: Literal["marked", "turns"] = Field(
        default="marked", description="marked: a mark ends each step; turns: a user's turn is a step, the label answers"
    )
    prompt: str = Field(default="{problem} ", description="before the first step")
    mark: str = ""
    good: str = "+"
    bad: str = "-"

    @model_validator(mode="after")
    def _whole(self) -> Published:
        if self.prompt.count("{problem}") != 1:
            raise ValueError("prompt must hold {problem} once")
        if self.model and self.form == "marked" and not self.mark:
            raise ValueError("mark must be the text after which the model says its label (form: marked)")
        return self


class Prm(Training):
    """The process reward model: who labels its steps, and its training."""

    labels: Literal["people", "oracle", "rollouts"] = Field(
        description="people: ratings of problems.prm; oracle: the domain's; rollouts: by gold answers"
    )
    rollouts: Rollouts
    published: Published = Published()

    def training(self) -> Training:
        """What of it the trainer reads."""
        return Training(**{name: getattr(self, name) for name in Training.model_fields})


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
