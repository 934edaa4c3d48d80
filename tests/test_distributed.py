"""Trainings on two processes, and broken ones: the same weights as one process, and nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ROOT
from safetensors.torch import load_file
from test_train import FAMILY, LAST, PAIR, SOLUTION, TRAINING, dpo

from pipeline.core import journal, machine
from pipeline.core.errors import PipelineError
from pipeline.language.renderer import Renderer
from pipeline.training import launch
from pipeline.training.common import rows_at_once
from pipeline.training.order import filled, updates
from pipeline.training.preference import train_preferences
from pipeline.training.supervised import Trained, solution_row, train_supervised

TRAINER = ROOT / "tests" / "launched.py"
SETTINGS = TRAINING.model_copy(update={"epochs": 3, "learning_rate": 1e-3})
ROWS = 10  # three updates an epoch, of 4, 4 and 2 rows


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "FOLDER", tmp_path / "unfinished")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def launched(kind: str, ranks: int = 1, kill_at: int = 0, **other: Any) -> machine.Training:
    """The trainer of tests by torchrun: `ddp` or `fsdp`; the last rank is killed after so many updates."""
    own = f"{TRAINER} {kind} {kill_at} {{job}}"
    command = f"{sys.executable} -m torch.distributed.run --standalone --nproc-per-node {ranks} {own}"
    return machine.Training(launcher=command, **other)


def train(kind: str, here: machine.Training, renderer: Renderer, start: Path, folder: Path, **other: Any) -> Trained:
    """SFT or DPO with both losses on a few rows."""
    if kind == "sft":
        prompts = [f"Ana has {'2 and ' * n}2 keys." for n in range(ROWS)]
        rows = [solution_row(renderer, replace(SOLUTION, prompt=prompt)) for prompt in prompts]
        return train_supervised(start, rows, SETTINGS.model_copy(update=other), here, 1, folder)
    pairs = [replace(pair, prompt=f"{pair.prompt}{' Then?' * n}") for n in range(ROWS // 2) for pair in (PAIR, LAST)]
    settings = dpo(sft=0.5, **{**SETTINGS.model_dump(exclude={"lora"}), **other})
    return train_preferences(start, pairs, FAMILY, settings, here, 1, folder)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def assert_same_weights(folder: Path, other: Path) -> None:
    first, second = weights(folder), weights(other)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, rtol=1e-4, atol=2e-6, msg=lambda m, n=name: f"{n}: {m}")


def moved(folder: Path, start: Path) -> float:
    first, second = weights(folder), weights(start)
    return max(float((first[name] - second[name]).abs().max()) for name in second)


def test_every_epoch_has_each_row_once_and_the_order_is_the_seeds_alone() -> None:
    lengths = [7, 3, 9, 1, 4, 4, 8, 2, 6, 5]
    for by_length in (True, False):
        order = updates(lengths, 4, 3, 1, by_length=by_length)
        assert order == updates(lengths, 4, 3, 1, by_length=by_length) != updates(lengths, 4, 3, 2, by_length=by_length)
        for epoch in (order[:3], order[3:6], order[6:]):
            assert sorted(row for update in epoch for row in update) == list(range(10))
        flat = filled(order, 4, blank=10)
        assert len(flat) == 9 * 4 and flat.count(10) == 3 * 2


def test_the_global_batch_is_exact_or_refused() -> None:
    assert rows_at_once(32, 0, 8) == (4, 1) and rows_at_once(32, 2, 8) == (2, 2) and rows_at_once(16, 0, 1) == (16, 1)
    for batch, micro, ranks in ((32, 0, 3), (32, 3, 1), (4, 0, 8)):
        with pytest.raises(PipelineError, match="cannot be spread"):
            rows_at_once(batch, micro, ranks)


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_accumulation_and_two_ranks_give_the_weights_of_one_process(
    kind: str, renderer: Renderer, tiny_model: Path, tmp_path: Path
) -> None:
    whole = train(kind, machine.Training(), renderer, tiny_model, tmp_path / "one")
    assert moved(tmp_path / "one", tiny_model) > 1e-3
    layouts = {
        "accumulated": (machine.Training(micro_batch=1), 1, "NO"),
        "ddp": (launched("ddp", 2), 2, "MULTI_CPU"),
        "fsdp": (launched("fsdp", 2, micro_batch=1), 2, "FSDP"),
    }
    for name, (here, ranks, distributed) in layouts.items():
        run = launch.run
        outcomes: list[launch.Outcome] = []
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(launch, "run", lambda *a, run=run, outcomes=outcomes: outcomes.append(run(*a)) or outcomes[-1])
            trained = train(kind, here, renderer, tiny_model, tmp_path / name)
        assert (outcomes[0].ranks, outcomes[0].distributed) == (ranks, distributed)
        assert_same_weights(tmp_path / "one", tmp_path / name)
        for first, second in zip(whole.curve, trained.curve, strict=True):
            assert first["loss"] == pytest.approx(second["loss"], rel=1e-3)


@pytest.mark.parametrize("kind", ["sft", "dpo"])
@pytest.mark.parametrize("kill_at", [2, 5, 8])  # in epoch 1, 2 and 3
def test_a_killed_training_goes_on_from_its_checkpoint_and_gives_the_same_bytes(
    kind: str, kill_at: int, renderer: Renderer, tiny_model: Path, tmp_path: Path
) -> None:
    saving = {"save_steps": 1}
    train(kind, machine.Training(**saving), renderer, tiny_model, tmp_path / "whole")
    with pytest.raises(PipelineError, match="killed by signal 9|left no reason"):
        train(kind, launched("ddp", 1, kill_at, **saving), renderer, tiny_model, tmp_path / "broken")
    (kept,) = (tmp_path / "unfinished" / "train").iterdir()
    assert [path.name for path in kept.glob("checkpoint-*")] == [f"checkpoint-{kill_at - 1}"]
