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
from trl.trainer.utils import add_fused_lm_head

from pipeline.core.command import note
from pipeline.core.errors import PipelineError
from pipeline.core.params import Dpo, Training
from pipeline.core.records import Dropped, Preference
from pipeline.language import prompts, steps
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
        return loss + ((1 - consistency) * self.beta * margins).mean()


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


def preference_rows(tokenizer: Any, family: str, pairs: Sequence[Preference]) -> list[dict[str, Any]]:
    """Pairs as token ids: the same prompt ids that the search sampled from, end of sequence on terminal steps only."""
    rows = []
    for pair in pairs:
        question = prompts.fill(family, "reasoning", problem=pair.prompt)
        rows.append(
            {
                "prompt_ids": steps.prompt_ids(tokenizer, question, pair.steps),
                "chosen_ids": steps.text_ids(tokenizer, pair.chosen, terminal=pair.chosen_terminal),
                "rejected_ids": steps.text_ids(tokenizer, pair.rejected, terminal=pair.rejected_terminal),
                "consistency": pair.consistency,
            }
        )
    return rows


def implicit_margins(
    policy: Path, reference: Path, pairs: Sequence[Preference], family: str, settings: Training
) -> list[float]:
    """The implicit DPO reward of chosen minus that of rejected, over beta (Rafailov et al. 2023, section 4).

    That is log policy/reference of the chosen text minus log policy/reference of the rejected one, in nats. Of the
    settings, the batch (in pairs) and the threads count.
    """
    determined(0, settings.threads)
    first, second = (_margins(model, pairs, family, settings.batch) for model in (policy, reference))
    return [mine - before for mine, before in zip(first, second, strict=True)]


@torch.no_grad()
def _margins(folder: Path, pairs: Sequence[Preference], family: str, batch: int) -> list[float]:
    """Log-probability of chosen minus that of rejected under one model, in nats."""
    model, tokenizer = load(folder)
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    add_fused_lm_head(model)
    collate = DataCollatorForPreference(pad_token_id=tokenizer.eos_token_id)  # masked, so any token will do
    rows = preference_rows(tokenizer, family, pairs)
    margins: list[float] = []
    for start in range(0, len(rows), batch):
        padded = {name: part.to(model.device) for name, part in collate(rows[start : start + batch]).items()}
        completion = padded.pop("completion_mask").bool()
        labels = padded["input_ids"].masked_fill(~completion, -100)
        chosen, rejected = model(**padded, labels=labels, fused_lm_head=True).log_probs.sum(dim=1).chunk(2)
        margins += (chosen - rejected).tolist()
    return margins


def train_preferences(
    start: Path, pairs: Sequence[Preference], family: str, settings: Dpo, seed: int, folder: Path
) -> tuple[dict[str, Any], list[Dropped]]:
    """Train the model folder `start`, which is also the reference, on pairs and save it to `folder`.

    Rows over settings.training.max_length tokens are left out and returned with their reason.
    """
    determined(seed, settings.training.threads)
    model, tokenizer = load(start)
    rows = preference_rows(tokenizer, family, pairs)
    fitting, dropped = [], []
    for pair, row in zip(pairs, rows, strict=True):
        length = len(row["prompt_ids"]) + max(len(row["chosen_ids"]), len(row["rejected_ids"]))
        if length <= settings.training.max_length:
            fitting.append(row)
        else:
            dropped.append(Dropped("dpo", f"{pair.problem_id}/{pair.step_index}", "too_long", f"{length} tokens"))
    if not fitting:
        raise PipelineError(
            f"{folder}: no preference pair to train on ({len(dropped)} too long); see the round's pairs.json"
        )
    with checkpoints("dpo", start, fitting, settings, seed) as unfinished:
        config = DPOConfig(
            **arguments(settings.training, seed, unfinished),
            beta=settings.beta,
            loss_type=["sigmoid", "sft"] if settings.likelihood > 0 else ["sigmoid"],
            loss_weights=[1.0, settings.likelihood] if settings.likelihood > 0 else None,
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
    note(trained_tokens=tokens * settings.training.epochs)
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
