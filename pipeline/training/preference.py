"""Step-wise DPO with TRL's DPOTrainer (paper, section 3.4), under the step contract.

TRL's own preparation tokenises text and appends the end-of-sequence token to every chosen and rejected, which
would teach the model to stop after one step. Here prompt and steps arrive as ids, and only a terminal step ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PrinterCallback
from trl import DPOConfig, DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

from pipeline.core import machine
from pipeline.core.command import note
from pipeline.core.config import Prompts
from pipeline.core.errors import PipelineError
from pipeline.core.records import Dropped, Preference
from pipeline.language.renderer import Renderer
from pipeline.training.common import (
    StageProgress,
    arguments,
    checkpoints,
    determined,
    last_checkpoint,
    load,
    losses,
    save,
)
from pipeline.training.settings import Dpo


class StepDPOTrainer(DPOTrainer):
    """DPOTrainer that takes rows of prompt_ids, chosen_ids, rejected_ids and consistency as they are.

    The preference loss of a pair with reward margin z and consistency C is C L(z) + (1 - C) L(-z), as in CREAM (Wang et
    al. 2024): each pair smooths its own label. It is made as L(z) + (1 - C) z, which is the same for the logistic L.
    TRL's label_smoothing is one number for all pairs, and its sigmoid loss does not read it. The likelihood term stays
    on the chosen step.
    """

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset

    def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
        consistency, inputs = inputs["consistency"], {k: v for k, v in inputs.items() if k != "consistency"}
        log_probs = []

        def remembering(**asked: Any) -> Any:
            outputs = model(**asked)
            log_probs.append(outputs.log_probs.sum(dim=1))
            return outputs

        loss = super()._compute_loss(remembering, inputs, return_outputs)
        chosen, rejected = log_probs[0].chunk(2)
        margins = (chosen - inputs["ref_chosen_logps"]) - (rejected - inputs["ref_rejected_logps"])
        weight = dict(zip(self.args.loss_type, self.args.loss_weights, strict=True)).get("sigmoid", 0.0)
        return loss + weight * ((1 - consistency) * self.beta * margins).mean()


class CollatorWithConsistency(DataCollatorForPreference):
    """TRL's collator (right padding; the chosen texts of a batch, then the rejected), and the consistency of each pair.

    Consistency follows once the reference is known, since the reference model knows nothing of it.
    """

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """One padded batch."""
        batch: dict[str, Any] = super().torch_call(examples)
        if "ref_chosen_logps" in batch:
            batch["consistency"] = torch.tensor([example["consistency"] for example in examples])
        return batch


def preference_rows(renderer: Renderer, pairs: Sequence[Preference]) -> list[dict[str, Any]]:
    """Pairs as token ids: the same prompt ids that the search sampled from, end of sequence on terminal steps only."""
    return [{**renderer.preference(pair), "consistency": pair.consistency} for pair in pairs]


def train_preferences(
    start: Path,
    pairs: Sequence[Preference],
    prompts: Prompts,
    settings: Dpo,
    here: machine.Training,
    seed: int,
    folder: Path,
) -> tuple[dict[str, Any], list[Dropped]]:
    """Train the model folder `start`, which is also the reference, on pairs and save it to `folder`.

    Rows over settings.max_length tokens are left out and returned with their reason.
    """
    determined(seed, here.threads)
    model, tokenizer = load(start)
    rows = preference_rows(Renderer(tokenizer, prompts.family, prompts.chat), pairs)
    fitting, dropped = [], []
    for pair, row in zip(pairs, rows, strict=True):
        length = len(row["prompt_ids"]) + max(len(row["chosen_ids"]), len(row["rejected_ids"]))
        if length <= settings.max_length:
            fitting.append(row)
        else:
            dropped.append(Dropped("dpo", f"{pair.problem_id}/{pair.step_index}", "too_long", f"{length} tokens"))
    if not fitting:
        raise PipelineError(
            f"{folder}: no preference pair to train on ({len(dropped)} too long); see the round's pairs.json"
        )
    weights = settings.loss_weights.model_dump()
    with checkpoints("dpo", start, fitting, settings, seed) as unfinished:
        config = DPOConfig(
            **arguments(settings, here, seed, unfinished),
            beta=settings.beta,
            loss_type=[name for name, weight in weights.items() if weight > 0],
            loss_weights=[weight for weight in weights.values() if weight > 0],
            precompute_ref_log_probs=True,
            remove_unused_columns=False,
        )
        trainer = StepDPOTrainer(
            model=model,
            args=config,
            data_collator=CollatorWithConsistency(pad_token_id=tokenizer.eos_token_id),
            train_dataset=Dataset.from_list(fitting),
            processing_class=tokenizer,
        )
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(StageProgress())
        trainer.train(resume_from_checkpoint=last_checkpoint(unfinished))
        save(trainer.model, tokenizer, folder)
    tokens = sum(2 * len(row["prompt_ids"]) + len(row["chosen_ids"]) + len(row["rejected_ids"]) for row in fitting)
    note(trained_tokens=tokens * settings.epochs)
    logged = [entry for entry in trainer.state.log_history if "rewards/accuracies" in entry]
    last = (
        {"reward_accuracy": logged[-1]["rewards/accuracies"], "reward_margin": logged[-1]["rewards/margins"]}
        if logged
        else {}
    )
    return {
        "pairs": len(fitting),
        "dropped": len(dropped),
        **losses(trainer.state.log_history),
        **last,
    }, dropped
