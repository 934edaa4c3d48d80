"""Trainings on two processes, and broken ones: the same weights as one process, and nothing left behind."""

from __future__ import annotations

import json
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
from pipeline.training import worker
from pipeline.training.common import StageProgress, rows_at_once
from pipeline.training.dpo import StepDPOTrainer
from pipeline.training.order import filled, updates
from pipeline.training.preference import train_preferences
from pipeline.training.settings import Lora
from pipeline.training.supervised import Trained, solution_row, train_supervised

TRAINER = ROOT / "tests" / "launched.py"
SETTINGS = TRAINING.model_copy(update={"epochs": 3, "learning_rate": 1e-3})
ROWS = 10  # three updates an epoch, of 4, 4 and 2 rows


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "FOLDER", tmp_path / "unfinished")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def launched(kind: str, ranks: int, die: Path | str = "never", **other: Any) -> machine.Training:
    """The trainer of tests by torchrun: `ddp` or `fsdp`. die: a file with the update after which the last rank is
    killed."""
    own = f"{TRAINER} {kind} {die} {{job}}"
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
        trained = train(kind, here, renderer, tiny_model, tmp_path / name)
        assert (trained.outcome.ranks, trained.outcome.distributed) == (ranks, distributed)
        assert_same_weights(tmp_path / "one", tmp_path / name)
        for first, second in zip(whole.outcome.curve, trained.outcome.curve, strict=True):
            assert first["loss"] == pytest.approx(second["loss"], rel=1e-3)


@pytest.mark.parametrize("kill_at", [2, 5, 8])  # in epoch 1, 2 and 3
@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_a_training_that_breaks_in_any_epoch_goes_on_and_gives_the_same_bytes(
    kind: str, kill_at: int, renderer: Renderer, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(kind, machine.Training(), renderer, tiny_model, tmp_path / "whole")
    advance = StageProgress.on_step_end

    def break_off(self: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
        advance(self, args, state, control, **more)
        if state.global_step == kill_at:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(StageProgress, "on_step_end", break_off)
        train(kind, machine.Training(save_steps=1), renderer, tiny_model, tmp_path / "broken")
    assert checkpoint(tmp_path) == kill_at - 1
    train(kind, machine.Training(save_steps=1), renderer, tiny_model, tmp_path / "broken")
    whole, broken = (tmp_path / name / "model.safetensors" for name in ("whole", "broken"))
    assert whole.read_bytes() == broken.read_bytes()
    assert not list((tmp_path / "unfinished" / "train").iterdir())


@pytest.mark.parametrize("kind", [pytest.param("sft", marks=pytest.mark.slow), "dpo"])
def test_so_it_does_on_two_ranks_of_which_one_is_killed(
    kind: str, renderer: Renderer, tiny_model: Path, tmp_path: Path
) -> None:
    train(kind, launched("ddp", 2), renderer, tiny_model, tmp_path / "whole")
    die = tmp_path / "die"
    die.write_text("5")
    here = launched("ddp", 2, die, save_steps=1)
    with pytest.raises(PipelineError, match="left no reason of its own"):
        train(kind, here, renderer, tiny_model, tmp_path / "broken")
    assert str(tmp_path) not in subprocess.run(["ps", "ax"], capture_output=True, text=True, check=True).stdout
    assert checkpoint(tmp_path) in (4, 5)
    die.unlink()
    trained = train(kind, here, renderer, tiny_model, tmp_path / "broken")
    assert [update["update"] for update in trained.outcome.curve] == list(range(1, 10))
    whole, broken = (tmp_path / name / "model.safetensors" for name in ("whole", "broken"))
    assert whole.read_bytes() == broken.read_bytes()


def checkpoint(tmp_path: Path) -> int:
    """The update of the only checkpoint of the only broken training."""
    (place,) = (tmp_path / "unfinished" / "train").glob("*/checkpoint-*")
    return int(place.name.partition("-")[2])


def test_a_torn_checkpoint_counts_as_none(tmp_path: Path) -> None:
    for update, text in ((2, "{}"), (10, '{"global_ste')):
        (tmp_path / f"checkpoint-{update}").mkdir()
        (tmp_path / f"checkpoint-{update}" / "trainer_state.json").write_text(text)
    assert worker.last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-2")


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_adapters_are_trained_and_merged_into_one_clean_folder(
    kind: str, renderer: Renderer, tiny_model: Path, tmp_path: Path
) -> None:
    lora = Lora(rank=4, alpha=8, dropout=0.1)
    trained = train(kind, machine.Training(), renderer, tiny_model, tmp_path / "m", lora=lora, learning_rate=1e-2)
    assert {path.name for path in (tmp_path / "m").iterdir()} == {path.name for path in tiny_model.iterdir()}
    assert weights(tmp_path / "m").keys() == weights(tiny_model).keys()
    assert moved(tmp_path / "m", tiny_model) > 1e-4
    assert trained.statistics["last_loss"] < trained.outcome.curve[0]["loss"]


def test_weights_are_saved_in_the_dtype_that_is_asked_for(renderer: Renderer, tiny_model: Path, tmp_path: Path) -> None:
    train("sft", machine.Training(), renderer, tiny_model, tmp_path / "m", saved_dtype="bfloat16")
    assert {tensor.dtype for tensor in weights(tmp_path / "m").values()} == {torch.bfloat16}
    assert json.loads((tmp_path / "m" / "config.json").read_text())["dtype"] == "bfloat16"


def test_gradient_checkpointing_changes_no_weight(renderer: Renderer, tiny_model: Path, tmp_path: Path) -> None:
    for name, on in (("off", False), ("on", True)):
        train("dpo", machine.Training(gradient_checkpointing=on), renderer, tiny_model, tmp_path / name)
    assert_same_weights(tmp_path / "off", tmp_path / "on")


def test_a_reference_that_is_another_model_is_refused(
    renderer: Renderer, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = StepDPOTrainer.compute_ref_log_probs

    def off(self: Any, model: Any, inputs: Any) -> Any:
        chosen, rejected = reference(self, model, inputs)
        return chosen - 3.0, rejected

    monkeypatch.setattr(StepDPOTrainer, "compute_ref_log_probs", off)
    with pytest.raises(PipelineError, match="instead of ln 2"):
        train("dpo", machine.Training(), renderer, tiny_model, tmp_path / "m")


def test_a_loss_that_is_no_number_ends_the_training(renderer: Renderer, tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"the loss of update \d+ is (nan|inf)"):
        train("sft", machine.Training(), renderer, tiny_model, tmp_path / "m", learning_rate=1e30)


@pytest.mark.parametrize(
    "here, line",
    [
        ({"launcher": "accelerate", "config": "fdsp2"}, "'fdsp2' is no accelerate configuration .* ddp, fsdp2, zero3"),
        ({"launcher": "accelerate", "config": "fsdp2", "processes": 1}, "asks for FSDP, but accelerate runs"),
        ({"launcher": "/no/such/program {job}"}, "/no/such/program cannot run"),
        ({"launcher": "false {job}"}, "ended with exit code 1 and left no reason"),
    ],
)
def test_a_launcher_that_cannot_do_it_is_one_clear_line(
    here: dict[str, Any], line: str, renderer: Renderer, tiny_model: Path, tmp_path: Path
) -> None:
    with pytest.raises(PipelineError, match=line) as refused:
        train("sft", machine.Training(**here), renderer, tiny_model, tmp_path / "m")
    assert "\n" not in str(refused.value)


def test_a_folder_that_cannot_be_written_is_one_clear_line(
    renderer: Renderer, tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "unfinished").write_text("a file in the way")
    with pytest.raises(PipelineError, match=r"unfinished.*: cannot be written"):
        train("sft", machine.Training(), renderer, tiny_model, tmp_path / "m")
