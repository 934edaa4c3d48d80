"""The card's snippet: step-wise DPO with TRL's own trainer on the published pairs, as the run trained on them.

TRL tokenises prompt and completion together and ends every text with the end-of-sequence token, also a step that is not
the last, which teaches a model to stop after one step; nor does it know the frame of a chat that the run used. The
snippet trains on the published ids instead, so that the trainer's rows are the run's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.core.config import laid_over
from pipeline.publish.lock import Lock

_LONGEST = 1024  # tokens of a row, where the run did not record the training


def snippet(recorded: Lock, repository: str, model: str, start: str) -> str:
    """Python code that trains a round from the published dataset, as dvc.lock recorded its training.

    start: folder or name on the Hub of the model that the round began with.
    """
    stage = recorded.stages.get(f"dpo@{model}")
    arguments, longest = _arguments(stage["params"]["params.yaml"], model) if stage else ({}, _LONGEST)
    fields = {
        "repository": repository,
        "config": f"ppd-{model}",
        "start": start,
        "output": model,
        "arguments": "".join(f"    {name}={value!r},\n" for name, value in arguments.items()),
        "max_length": str(longest),
    }
    return filled("train.py.txt", fields)


def filled(template: str, fields: Mapping[str, str]) -> str:
    """A template of this package with its fields in the place of their names in braces."""
    text = (Path(__file__).parent / "templates" / template).read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: fields[match[1]], text).strip()


def _arguments(given: Mapping[str, Any], model: str) -> tuple[dict[str, Any], int]:
    """Arguments of DPOConfig by name, and the longest row in tokens that was trained on."""
    dpo = laid_over(given["dpo"], given.get(f"rounds.{model}", {}).get("dpo", {}))
    weights, seed = {name: float(weight) for name, weight in dpo["loss_weights"].items() if weight}, given["seed"]
    arguments = {
        "beta": float(dpo["beta"]),
        "loss_type": list(weights),
        "loss_weights": list(weights.values()),
        "learning_rate": float(dpo["learning_rate"]),
        "num_train_epochs": dpo["epochs"],
        "per_device_train_batch_size": dpo["batch_size"],
        "warmup_steps": float(dpo["warmup_ratio"]),
        "lr_scheduler_type": "cosine",
        "weight_decay": 0.0,
        "seed": seed,
        "data_seed": seed,
        "bf16": dpo["bf16"],
    }
    return arguments, dpo["max_length"] or _LONGEST
