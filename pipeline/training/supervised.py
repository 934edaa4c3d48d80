"""Supervised training on ready token rows with TRL's SFTTrainer: PRM and SFT are one function."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PrinterCallback
from trl import SFTConfig, SFTTrainer

from pipeline.core import machine
from pipeline.core.command import note
from pipeline.core.records import Dropped, Solution
from pipeline.language.renderer import Renderer
from pipeline.language.steps import join
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
from pipeline.training.settings import Training

Rows = list[dict[str, list[int]]]


def solution_row(renderer: Renderer, row: Solution) -> dict[str, list[int]]:
    """IFT row as input_ids and labels, loss on the solution after its first marker, which ends the prompt.

    The markers after it are in the loss: a model that writes a whole solution must set them itself.
    """
    return completion_row(renderer.reasoning(row.prompt), renderer.completion(join(row.steps), 1))


def completion_row(prompt: list[int], completion: list[int]) -> dict[str, list[int]]:
    """Token row with loss on the completion only."""
    return {"input_ids": prompt + completion, "labels": [-100] * len(prompt) + completion}


def train_supervised(
    start: Path, rows: Rows, settings: Training, here: machine.Training, seed: int, folder: Path
) -> tuple[dict[str, Any], list[Dropped]]:
    """Train the model folder `start` on token rows and save it to `folder`.

    Rows over settings.max_length tokens are left out and returned with their reason. Returns statistics too.
    """
    determined(seed, here.threads)
    model, tokenizer = load(start)
    fitting, dropped = within(rows, settings.max_length)
    data = Dataset.from_list([{**row, "length": len(row["input_ids"])} for row in fitting])
    with checkpoints("sft", start, fitting, settings, seed) as unfinished:
        config = SFTConfig(
            **arguments(settings, here, seed, unfinished),
            dataset_kwargs={"skip_prepare_dataset": True},
            train_sampling_strategy="group_by_length",
            length_column_name="length",
        )
        trainer = SFTTrainer(model=model, args=config, train_dataset=data, processing_class=tokenizer)
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(StageProgress())
        trainer.train(resume_from_checkpoint=last_checkpoint(unfinished))
        save(trainer.model, tokenizer, folder)
    tokens = sum(len(row["input_ids"]) for row in fitting)
    note(trained_tokens=tokens * settings.epochs)
    statistics = {
        "rows": len(fitting),
        "tokens": tokens,
        "dropped": len(dropped),
        **losses(trainer.state.log_history),
    }
    return statistics, dropped


def within(rows: Sequence[dict[str, list[int]]], max_length: int) -> tuple[Rows, list[Dropped]]:
    """Rows of at most `max_length` tokens, and the others as drops; nothing is cut."""
    fitting = [row for row in rows if len(row["input_ids"]) <= max_length]
    dropped = [
        Dropped("train", str(index), "too_long", f"{len(row['input_ids'])} tokens")
        for index, row in enumerate(rows)
        if len(row["input_ids"]) > max_length
    ]
    return fitting, dropped
