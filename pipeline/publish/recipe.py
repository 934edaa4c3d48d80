"""The card's snippet: step-wise DPO with TRL's own trainer on the published pairs, as the run trained on them.

TRL tokenises prompt and completion together and ends every text with the end-of-sequence token, also a step that is not
the last, which teaches a model to stop after one step; nor does it know the frame of a chat that the run used. The
snippet trains on the published ids instead, so that the trainer's rows are the run's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.config import laid_over
from pipeline.publish.lock import Lock

SNIPPET = Path(__file__).parent / "templates" / "train.py.txt"


@dataclass(frozen=True)
class Recipe:
    """How one round was trained: its config, the model it started from, and arguments of DPOConfig by name.

    max_length: longest row in tokens that was trained on, None where the run did not record the training.
    """

    config: str
    start: str
    arguments: Mapping[str, Any]
    max_length: int | None

    def snippet(self, repository: str) -> str:
        """Python code that trains the round from the published dataset."""
        fields = {
            "repository": repository,
            "config": self.config,
            "start": self.start,
            "output": self.config.removeprefix("ppd-"),
            "arguments": "".join(f"    {name}={value!r},\n" for name, value in self.arguments.items()),
            "max_length": repr(self.max_length or 1024),
        }
        text = SNIPPET.read_text(encoding="utf-8")
        return re.sub(r"\{\{(\w+)\}\}", lambda match: fields[match[1]], text).strip()


def recipe(recorded: Lock, model: str, start: str) -> Recipe:
    """The recipe of a round as dvc.lock recorded its training; start: folder or name on the Hub of its first model."""
    stage = recorded.stages.get(f"dpo@{model}")
    if stage is None:
        return Recipe(f"ppd-{model}", start, {}, None)
    given = stage["params"]["params.yaml"]
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
    return Recipe(f"ppd-{model}", start, arguments, dpo["max_length"])
