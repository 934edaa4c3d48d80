"""The implicit reward of DPO: log-probabilities of chosen and rejected steps under two models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.utils import add_fused_lm_head

from pipeline.core.config import Prompts
from pipeline.core.lease import hold_gpus
from pipeline.core.records import Preference
from pipeline.language.renderer import Renderer
from pipeline.training.common import determined
from pipeline.training.preference import preference_rows
from pipeline.training.weights import load


def implicit_margins(
    policy: Path, reference: Path, pairs: Sequence[Preference], prompts: Prompts, batch: int, threads: int
) -> list[float]:
    """The implicit DPO reward of chosen minus that of rejected, over beta (Rafailov et al. 2023, section 4).

    That is log policy/reference of the chosen text minus log policy/reference of the rejected one, in nats. batch: in
    pairs.
    """
    hold_gpus()
    determined(0, threads)
    first, second = (_margins(model, pairs, prompts, batch) for model in (policy, reference))
    return [mine - before for mine, before in zip(first, second, strict=True)]


@torch.no_grad()
def _margins(folder: Path, pairs: Sequence[Preference], prompts: Prompts, batch: int) -> list[float]:
    """Log-probability of chosen minus that of rejected under one model, in nats."""
    model, tokenizer = load(folder)
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    add_fused_lm_head(model)
    collate = DataCollatorForPreference(pad_token_id=tokenizer.eos_token_id)  # masked, so any token will do
    rows = preference_rows(Renderer(tokenizer, prompts.family, prompts.chat), pairs)
    margins: list[float] = []
    for start in range(0, len(rows), batch):
        padded = {name: part.to(model.device) for name, part in collate(rows[start : start + batch]).items()}
        completion = padded.pop("completion_mask").bool()
        labels = padded["input_ids"].masked_fill(~completion, -100)
        chosen, rejected = model(**padded, labels=labels, fused_lm_head=True).log_probs.sum(dim=1).chunk(2)
        margins += (chosen - rejected).tolist()
    return margins
