"""What all trainings share: determinism, the arguments of the schedule, progress, and the kept curve."""

from __future__ import annotations

import csv
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, TrainerCallback, TrainerState, set_seed
from transformers.utils import logging

from pipeline.core import machine
from pipeline.core.command import Progress, Stage
from pipeline.core.config import Prompts
from pipeline.core.errors import PipelineError
from pipeline.core.files import replacing, write, write_json
from pipeline.core.records import Dropped
from pipeline.language.renderer import Renderer
from pipeline.training.settings import Training, rows_at_once

GPU_MULTIPLE = 64  # tokens to which a GPU's batches are padded, so that memory is used again
CURVE = ("loss", "learning_rate", "grad_norm", "reward_accuracy", "reward_margin")  # kept of every update


def read_renderer(model: Path, prompts: Prompts) -> Renderer:
    """The renderer of a model folder with the prompts of params.yaml."""
    tokenizer = AutoTokenizer.from_pretrained(str(model), trust_remote_code=False)
    return Renderer(tokenizer, prompts.family, prompts.chat)


def determined(seed: int, threads: int) -> None:
    """Fix seeds, algorithms and the number of threads: the same rows give the same weights on one machine."""
    logging.disable_progress_bar()
    set_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # a help for debugging that costs time
    torch.backends.cuda.enable_cudnn_sdp(False)  # it compiles anew for every length: 4 of 5 seconds of short updates
    if not torch.cuda.is_available():
        torch.set_num_threads(threads)


def arguments(settings: Training, here: machine.Training, seed: int, ranks: int, folder: Path) -> dict[str, Any]:
    """Arguments that SFTConfig and DPOConfig share; checkpoints go to `folder`.

    Rows come in the order in which they lie, which is that of the updates of all epochs.
    """
    micro, accumulation = rows_at_once(settings.batch_size, here.micro_batch, ranks)
    return {
        "output_dir": str(folder),
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": accumulation,
        "train_sampling_strategy": "sequential",
        "num_train_epochs": 1,
        "learning_rate": settings.learning_rate,
        "warmup_steps": settings.warmup_ratio,
        "lr_scheduler_type": "cosine",
        "weight_decay": 0.0,
        "max_length": None,
        "pad_to_multiple_of": GPU_MULTIPLE if torch.cuda.is_available() else None,
        "seed": seed,
        "data_seed": seed,
        "bf16": settings.bf16,
        "use_cpu": not torch.cuda.is_available(),
        "save_strategy": "steps" if here.save_steps else "no",
        "save_steps": here.save_steps or 1,
        "report_to": here.report_to,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "disable_tqdm": True,
        "gradient_checkpointing": here.gradient_checkpointing,
        "dataloader_num_workers": 0,
    }


class StageProgress(TrainerCallback):
    """The stage's own progress bar in the place of the trainer's; a loss that is no number ends the training."""

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            self.progress = Progress("train", state.max_steps, state.global_step)

    def on_step_end(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            self.progress.advance()

    def on_log(self, args: Any, state: TrainerState, control: Any, logs: dict[str, Any], **_: Any) -> None:
        """Refuse a loss that is no number: all that follows would be none either."""
        if not math.isfinite(logs.get("loss", 0.0)):
            raise PipelineError(
                f"the loss of update {state.global_step} is {logs['loss']}; lower learning_rate, or look at the rows"
            )

    def on_save(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        """Keep the newest checkpoint; the trainer itself would go by the clock, which may be set back."""
        if state.is_world_process_zero:
            kept = min(args.world_size, 2)  # a rank may die before it has written its part of the newest
            for old in checkpoints(Path(args.output_dir))[:-kept]:
                shutil.rmtree(old)

    def on_train_end(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            self.progress.close()


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a training, whole or not, in the order of their updates."""
    numbers = {path: path.name.partition("-")[2] for path in folder.glob("checkpoint-*")}
    return sorted((path for path, number in numbers.items() if number.isdecimal()), key=lambda path: int(numbers[path]))


def curve(history: list[dict[str, Any]]) -> list[dict[str, float]]:
    """Each update's number and what is kept of it, from the trainer's log."""
    return [
        {"update": entry["step"], **{name: entry[name] for name in CURVE if name in entry}}
        for entry in history
        if "loss" in entry
    ]


def write_beside(
    stage: Stage, statistics: dict[str, Any], kept: list[dict[str, float]], dropped: Sequence[Dropped]
) -> None:
    """What stands beside a trained model: rows that were left out, the curve as a table of `dvc plots`, statistics."""
    write(stage.dropped, Dropped, dropped)
    with replacing(stage.curve) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(kept[0]) if kept else [], lineterminator="\n")
        table.writeheader()
        table.writerows(kept)
    write_json(stage.stats, statistics)


def ends(kept: list[dict[str, float]]) -> dict[str, float]:
    """First and last loss of a curve, each a mean over ten updates, for the statistics beside a model."""
    parts = {"first_loss": kept[:10], "last_loss": kept[-10:]} if kept else {}
    return {name: sum(update["loss"] for update in part) / len(part) for name, part in parts.items()}
