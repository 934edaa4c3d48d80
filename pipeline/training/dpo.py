"""Step-wise DPO with TRL's DPOTrainer (paper, section 3.4), under the step contract.

TRL's own preparation tokenises text and appends the end-of-sequence token to every chosen and rejected, which
would teach the model to stop after one step. Here prompt and steps arrive as ids, and only a terminal step ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional
from trl import DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

from pipeline.core.errors import PipelineError

_TOLERANCE = 0.05  # nats, of the first preference loss: bf16 rounds sums of hundreds of log-probabilities


class StepDPOTrainer(DPOTrainer):
    """DPOTrainer that takes rows of prompt_ids, chosen_ids, rejected_ids, consistency and weight as they are.

    The preference loss of a pair with reward margin z and consistency C is C L(z) + (1 - C) L(-z), as in CREAM (Wang et
    al. 2024): each pair smooths its own label. It is made as L(z) + (1 - C) z, which is the same for the logistic L.
    The loss is a mean over the pairs of an update, and the likelihood term a mean over the tokens of its chosen steps,
    however the update is spread over devices and accumulated.

    sizes: (pairs, tokens of chosen steps) of each update. weights: of TRL's losses `sigmoid` and `sft`.
    """

    def __init__(self, *args: Any, sizes: Sequence[tuple[int, int]], weights: dict[str, float], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sizes, self.weights = sizes, weights

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """This device's part of the update's loss, in nats, so that the mean over devices and parts is the update's."""
        pairs, tokens = self.sizes[self.state.global_step]
        completion = inputs["completion_mask"]
        labels = inputs["input_ids"].masked_fill(completion == 0, -100)
        log_probs = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            use_cache=False,
            labels=labels,
            fused_lm_head=True,
        ).log_probs.sum(dim=1)
        chosen, rejected = log_probs.chunk(2)
        margins = (chosen - inputs["ref_chosen_logps"]) - (rejected - inputs["ref_rejected_logps"])
        rewards = self.beta * margins
        preference = -functional.logsigmoid(rewards) + (1 - inputs["consistency"]) * rewards
        counted = inputs["weight"]
        preferred = (counted * preference).sum() / pairs
        likelihood = -(counted * chosen).sum() / tokens
        self._guard(rewards.detach(), counted)
        self._log_rewards(rewards.detach(), counted)
        shares = self.accelerator.num_processes * self.current_gradient_accumulation_steps
        return (self.weights["sigmoid"] * preferred + self.weights["sft"] * likelihood) * shares

    def _guard(self, rewards: Any, counted: Any) -> None:
        """Before the first update model and reference are the same, so that the preference loss is ln 2."""
        if self.state.global_step > 0 or not counted.any():
            return
        loss = float((counted * -functional.logsigmoid(rewards)).sum() / counted.sum())
        if not abs(loss - math.log(2)) < _TOLERANCE:
            raise PipelineError(
                f"dpo: the first preference loss is {loss:.4f} instead of ln 2 = 0.6931: the reference's "
                "log-probabilities are not those of the model that is trained; with FSDP set "
                "fsdp_cpu_ram_efficient_loading to false in the accelerate config"
            )

    def _log_rewards(self, rewards: Any, counted: Any) -> None:
        both = self.accelerator.gather(torch.stack([rewards, counted]).T)
        real = both[both[:, 1] > 0, 0]
        if len(real):
            self._metrics["train"]["reward_accuracy"].append((real > 0).float().mean().item())
            self._metrics["train"]["reward_margin"].append(real.mean().item())


class PairCollator(DataCollatorForPreference):
    """TRL's collator (right padding; the chosen texts of a batch, then the rejected), with consistency and weight.

    They follow once the reference is known, since the reference model knows nothing of them.
    """

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """One padded batch."""
        batch: dict[str, Any] = super().torch_call(examples)
        if "ref_chosen_logps" in batch:
            for name in ("consistency", "weight"):
                batch[name] = torch.tensor([example[name] for example in examples])
        return batch
