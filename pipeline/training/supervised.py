"""Supervised training on ready token rows with TRL's SFTTrainer: PRM and SFT are one function."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core import machine
from pipeline.core.command import note
from pipeline.core.errors import PipelineError
from pipeline.core.records import Dropped, Solution
from pipeline.language.renderer import Renderer
from pipeline.language.steps import join
from pipeline.training import launch
from pipeline.training.common import ends
from pipeline.training.launch import Outcome
from pipeline.training.order import updates
from pipeline.training.settings import Training

Rows = list[dict[str, list[int]]]
_NONE = -100  # the label of a token that is not trained
_BLANK = {"input_ids": [0, 0], "labels": [_NONE, _NONE]}  # a row of no weight


@dataclass(frozen=True)
class Trained:
    """What stands beside a trained model. dropped: rows that were left out, each with its reason."""

    statistics: dict[str, Any]
    outcome: Outcome
    dropped: list[Dropped]


def solution_row(renderer: Renderer, row: Solution) -> dict[str, list[int]]:
    """IFT row as input_ids and labels, loss on the solution after its first marker, which ends the prompt.

    The markers after it are in the loss: a model that writes a whole solution must set them itself.
    """
    return completion_row(renderer.reasoning(row.prompt), renderer.completion(join(row.steps), 1))


def completion_row(prompt: list[int], completion: list[int]) -> dict[str, list[int]]:
    """Token row with loss on the completion only."""
    return {"input_ids": prompt + completion, "labels": [_NONE] * len(prompt) + completion}


def train_supervised(
    start: Path, rows: Rows, settings: Training, here: machine.Training, seed: int, folder: Path
) -> Trained:
    """Train the model folder `start` on token rows and save it to `folder`.

    Rows over settings.max_length tokens are left out. Raises PipelineError if none is left, and as `launch.run` does.
    """
    all_lengths = [len(row["input_ids"]) for row in rows]
    fitting = [row for row, length in zip(rows, all_lengths, strict=True) if length <= settings.max_length]
    dropped = [
        Dropped("train", str(number), "too_long", f"{length} tokens")
        for number, length in enumerate(all_lengths)
        if length > settings.max_length
    ]
    if not fitting:
        raise PipelineError(
            f"max_length (params.yaml): {settings.max_length} tokens are too few for all {len(rows)} rows of {folder}; "
            "raise it"
            if rows
            else f"{folder}: there is no row to train on; see what the stages before have dropped"
        )
    lengths = [len(row["input_ids"]) for row in fitting]
    order = updates(lengths, settings.batch_size, settings.epochs, seed, by_length=True)
    outcome = launch.run("sft", start, fitting, _BLANK, order, settings, here, seed, folder)
    note(trained_tokens=sum(lengths) * settings.epochs)
    statistics = {"rows": len(fitting), "tokens": sum(lengths), "dropped": len(dropped), **ends(outcome.curve)}
    return Trained(statistics, outcome, dropped)
