"""What both trainers share: loading and saving a model, determinism, the arguments of the schedule."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback, TrainerState, set_seed
from transformers.utils import logging

from pipeline.core import fingerprint, journal, machine
from pipeline.core.command import Progress, Stage
from pipeline.core.config import Prompts
from pipeline.core.files import require_weights
from pipeline.core.lease import hold_gpus
from pipeline.language.renderer import Renderer
from pipeline.training.settings import Training


def load(model: Path) -> tuple[Any, Any]:
    """Model (fp32 weights) and tokenizer of a model folder; PipelineError if it has no weights."""
    require_weights(model)
    tokenizer = AutoTokenizer.from_pretrained(str(model), trust_remote_code=False)
    loaded = AutoModelForCausalLM.from_pretrained(
        str(model), dtype=torch.float32, trust_remote_code=False, use_safetensors=True
    )
    return loaded, tokenizer


def read_renderer(stage: Stage, model: Path) -> Renderer:
    """The renderer of a model folder with the prompts of params.yaml."""
    tokenizer = AutoTokenizer.from_pretrained(str(model), trust_remote_code=False)
    prompts = stage.section("prompts", Prompts)
    return Renderer(tokenizer, prompts.family, prompts.chat)


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Weights as safetensors, configuration and tokenizer; nothing that needs pickle."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def determined(seed: int, threads: int) -> None:
    """Fix seeds, algorithms and the number of threads: the same rows give the same weights on one machine.

    Waits where another stage has the GPUs.
    """
    hold_gpus()
    logging.disable_progress_bar()
    set_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    if not torch.cuda.is_available():
        torch.set_num_threads(threads)


@contextmanager
def checkpoints(*depends_on: Any) -> Iterator[Path]:
    """A folder for the checkpoints of one training, named after all that decides it; it is removed when all is done."""
    folder = journal.FOLDER / "train" / fingerprint.values(*depends_on)[:16]
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    shutil.rmtree(folder)


def last_checkpoint(folder: Path) -> str | None:
    """The newest whole checkpoint of an earlier, broken run; the trainer's state is what it writes last."""
    whole = [state.parent for state in folder.glob("checkpoint-*/trainer_state.json")]
    return str(max(whole, key=lambda place: int(place.name.partition("-")[2]))) if whole else None


def arguments(settings: Training, here: machine.Training, seed: int, folder: Path) -> dict[str, Any]:
    """Arguments that SFTConfig and DPOConfig share; checkpoints go to `folder`."""
    return {
        "output_dir": str(folder),
        "per_device_train_batch_size": settings.batch_size,
        "learning_rate": settings.learning_rate,
        "num_train_epochs": settings.epochs,
        "warmup_steps": settings.warmup_ratio,
        "lr_scheduler_type": "cosine",
        "weight_decay": 0.0,
        "max_length": None,
        "seed": seed,
        "data_seed": seed,
        "bf16": settings.bf16,
        "use_cpu": not torch.cuda.is_available(),
        "save_strategy": "steps" if here.save_steps else "no",
        "save_steps": here.save_steps or 1,
        "save_total_limit": 1,
        "report_to": "none",
        "logging_steps": 10,
        "disable_tqdm": True,
        "gradient_checkpointing": False,
        "dataloader_num_workers": 0,
    }


class StageProgress(TrainerCallback):
    """The stage's own progress bar in the place of the trainer's."""

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        """Open the bar."""
        self.progress = Progress("train", state.max_steps)

    def on_step_end(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        """One more update."""
        self.progress.advance()

    def on_train_end(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        """Close the bar."""
        self.progress.close()


def losses(history: list[dict[str, float]]) -> dict[str, float]:
    """First and last logged loss of a run, for the statistics beside a model."""
    logged = [entry["loss"] for entry in history if "loss" in entry]
    return {"first_loss": logged[0], "last_loss": logged[-1]} if logged else {}
