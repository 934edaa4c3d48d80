"""Trainings on two processes, and broken ones: the same weights as one process, and nothing left behind."""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ROOT
from safetensors.torch import load_file, save_file
from test_train import FAMILY, LAST, PAIR, SOLUTION, TRAINING, dpo
from transformers import TrainerState

from pipeline.core import journal, machine
from pipeline.core.errors import PipelineError
from pipeline.core.records import LabelledSolution
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import prm
from pipeline.training import worker
from pipeline.training.common import StageProgress
from pipeline.training.dpo import StepDPOTrainer
from pipeline.training.order import filled, updates
from pipeline.training.preference import train_preferences
from pipeline.training.settings import Lora, rows_at_once
from pipeline.training.supervised import Trained, solution_row, train_supervised

TRAINER = ROOT / "tests" / "launched.py"
SETTINGS = TRAINING.model_copy(update={"epochs": 3, "learning_rate": 1e-3})
DISTRIBUTED = {"ddp": "MULTI_CPU", "fsdp": "FSDP"}
ROWS = 10  # three updates an epoch, of 4, 4 and 2 rows


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "FOLDER", tmp_path / "unfinished")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def launched(kind: str, ranks: int, die: Path | str = "never", **other: Any) -> machine.Training:
    """The trainers of tests: `ddp` or `fsdp`. die: see launched.py."""
    return machine.Training(launcher=f"{sys.executable} {TRAINER} {kind} {die} {{job}} {ranks}", **other)


def train(kind: str, here: machine.Training, renderer: Renderer, start: Path, folder: Path, **other: Any) -> Trained:
    """SFT, PRM, or DPO with both losses on a few rows."""
    if kind == "prm":
        steps, labels = ("Step 1: Ben has 2+1=3.", "Step 2: Cleo has 3+1=5."), (True, False)
        solutions = [LabelledSolution(str(n), f"Ana has {'2 and ' * n}2 keys.", steps, labels) for n in range(ROWS)]
        labelled = [prm.training_row(renderer, solution) for solution in solutions]
        return train_supervised(start, labelled, SETTINGS, here, 1, folder)
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


@pytest.mark.parametrize("rank", [0, pytest.param(4, marks=pytest.mark.slow)], ids=["whole", "adapters"])
@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_accumulation_and_two_ranks_give_the_weights_of_one_process(
    kind: str, rank: int, renderer: Renderer, tiny_model: Path, tmp_path: Path
) -> None:
    lora = Lora(rank=rank, alpha=8, dropout=0.0)
    whole = train(kind, machine.Training(), renderer, tiny_model, tmp_path / "one", lora=lora)
    assert moved(tmp_path / "one", tiny_model) > 1e-3
    layouts = {
        "accumulated": (machine.Training(micro_batch=1), 1, "NO"),
        "ddp": (launched("ddp", 2), 2, "MULTI_CPU"),
        "fsdp": (launched("fsdp", 2, micro_batch=1), 2, "FSDP"),
    }
    for name, (here, ranks, distributed) in layouts.items():
        trained = train(kind, here, renderer, tiny_model, tmp_path / name, lora=lora)
        assert (trained.outcome.ranks, trained.outcome.distributed) == (ranks, distributed)
        assert_same_weights(tmp_path / "one", tmp_path / name)
        for first, second in zip(whole.outcome.curve, trained.outcome.curve, strict=True):
            assert first["loss"] == pytest.approx(second["loss"], rel=1e-3)


def broken_off(
    kill_at: int, kind: str, renderer: Renderer, start: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training with checkpoints that ends after an update; the one before has a checkpoint, alone."""
    advance = StageProgress.on_step_end

    def break_off(self: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
        advance(self, args, state, control, **more)
        if state.global_step == kill_at:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(StageProgress, "on_step_end", break_off)
        train(kind, machine.Training(save_steps=1), renderer, start, folder / "broken")
    (place,) = (folder / "unfinished" / "train").iterdir()
    assert [path.name for path in place.glob("checkpoint-*")] == [f"checkpoint-{kill_at - 1}"]


@pytest.mark.parametrize("kill_at", [2, 5, 8])  # in epoch 1, 2 and 3
@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_a_training_that_breaks_in_any_epoch_goes_on_and_gives_the_same_bytes(
    kind: str, kill_at: int, renderer: Renderer, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(kind, machine.Training(), renderer, tiny_model, tmp_path / "whole")
    broken_off(kill_at, kind, renderer, tiny_model, tmp_path, monkeypatch)
    train(kind, machine.Training(save_steps=1), renderer, tiny_model, tmp_path / "broken")
    whole, broken = (tmp_path / name / "model.safetensors" for name in ("whole", "broken"))
    assert whole.read_bytes() == broken.read_bytes()
    assert not list((tmp_path / "unfinished" / "train").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "by"), [("sft", "ddp"), ("prm", "ddp"), ("dpo", "ddp"), ("sft", "fsdp"), ("dpo", "fsdp")]
)
def test_so_it_does_on_two_ranks_of_which_one_is_killed_in_every_epoch(
    kind: str, by: str, renderer: Renderer, tiny_model: Path, tmp_path: Path
) -> None:
    train(kind, launched(by, 2), renderer, tiny_model, tmp_path / "whole")
    die = tmp_path / "die"
    here = launched(by, 2, die, save_steps=1)
    for kill_at in (2, 5, 8):
        die.write_text(str(kill_at))
        with pytest.raises(PipelineError, match="left no reason of its own"):
            train(kind, here, renderer, tiny_model, tmp_path / "broken")
        assert not processes(tmp_path)
        assert checkpoint(tmp_path) in (kill_at - 1, kill_at)
    die.unlink()
    trained = train(kind, here, renderer, tiny_model, tmp_path / "broken")
    assert (trained.outcome.ranks, trained.outcome.distributed) == (2, DISTRIBUTED[by])
    assert [update["update"] for update in trained.outcome.curve] == list(range(1, 10))
    whole, broken = (tmp_path / name / "model.safetensors" for name in ("whole", "broken"))
    assert whole.read_bytes() == broken.read_bytes()


def processes(folder: Path) -> list[str]:
    """Lines of `ps` that name a folder."""
    listed = subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in listed if str(folder) in line]


def checkpoint(tmp_path: Path) -> int:
    """The update of the newest checkpoint of the only broken training."""
    (place,) = (tmp_path / "unfinished" / "train").iterdir()
    return max(int(each.name.partition("-")[2]) for each in place.glob("checkpoint-*"))


def saved(folder: Path, update: int, ranks: int = 1) -> Path:
    """A checkpoint, as the trainer writes it."""
    place = folder / f"checkpoint-{update}"
    place.mkdir()
    for name in (
        "optimizer.pt",
        "scheduler.pt",
        "training_args.bin",
        *(f"rng_state_{rank}.pth" for rank in range(ranks)),
    ):
        torch.save({"a": torch.ones(9)}, place / name)
    save_file({"a": torch.ones(9)}, place / "model.safetensors")
    (place / "trainer_state.json").write_text(json.dumps({"global_step": update}))
    return place


TORN: dict[str, Any] = {
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "no text": lambda path: path.write_bytes(b"\xff" * 99),
    "another JSON": lambda path: path.write_text("[]"),
}


@pytest.mark.parametrize("how", TORN)
@pytest.mark.parametrize("name", ["trainer_state.json", "optimizer.pt", "rng_state_0.pth", "model.safetensors"])
def test_a_torn_checkpoint_counts_as_none_whatever_is_torn(name: str, how: str, tmp_path: Path) -> None:
    sound = saved(tmp_path, 9)
    TORN[how](saved(tmp_path, 10) / name)
    (tmp_path / "checkpoint-tmp").mkdir()
    assert worker.last_checkpoint(tmp_path, 1) == sound


def test_a_checkpoint_without_the_state_of_each_rank_counts_as_none(tmp_path: Path) -> None:
    sound = saved(tmp_path, 2, ranks=2)
    saved(tmp_path, 12)
    assert worker.last_checkpoint(tmp_path, 2) == sound
    assert worker.last_checkpoint(tmp_path, 4) is None


def test_a_training_whose_checkpoint_is_torn_starts_again_and_says_so(
    renderer: Renderer, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    train("sft", machine.Training(), renderer, tiny_model, tmp_path / "whole")
    broken_off(5, "sft", renderer, tiny_model, tmp_path, monkeypatch)
    (place,) = (tmp_path / "unfinished" / "train").glob("*/checkpoint-4")
    TORN["half"](place / "optimizer.pt")
    capfd.readouterr()
    train("sft", machine.Training(save_steps=1), renderer, tiny_model, tmp_path / "broken")
    assert f"{place}: was not written to its end, and is left out" in capfd.readouterr().err
    whole, broken = (tmp_path / name / "model.safetensors" for name in ("whole", "broken"))
    assert whole.read_bytes() == broken.read_bytes()


def test_the_newest_checkpoint_is_kept_where_the_clock_is_set_back(
    renderer: Renderer, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, saving = time.time(), TrainerState.save_to_json

    def back(self: TrainerState, path: str) -> None:
        saving(self, path)
        os.utime(Path(path).parent, times=(0, begun - 100 * self.global_step))

    monkeypatch.setattr(TrainerState, "save_to_json", back)
    broken_off(5, "sft", renderer, tiny_model, tmp_path, monkeypatch)


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


STAGE = """'A stage that trains, on a machine with one GPU that is a file.'
from pipeline.core import command, journal, lease, machine
from pipeline.training.settings import Training
from pipeline.training.supervised import train_supervised

def main(stage):
    lease.DEVICES = lease.LOCKS = stage.place
    journal.FOLDER = stage.place / "unfinished"
    rows = [{"input_ids": [5, 6, 7, n], "labels": [5, 6, 7, n]} for n in range(8)]
    settings = Training(
        epochs=1, batch_size=4, learning_rate=1e-3, warmup_ratio=0.0, max_length=9, bf16=False
    )
    here = machine.Training(launcher=(stage.place / "launcher").read_text())
    train_supervised(stage.model, rows, settings, here, 1, stage.place / "m")

command.run(main, reads=("model", "place"))
"""


@contextmanager
def stage(launcher: str, tiny_model: Path, place: Path) -> Iterator[subprocess.Popen[str]]:
    """A stage whose training `launcher` starts; its GPU is free again and no process is left after the block."""
    for name, text in (("stage.py", STAGE), ("launcher", launcher), ("nvidia0", "")):
        (place / name).write_text(text)
    command = [sys.executable, str(place / "stage.py"), "--model", str(tiny_model), "--place", str(place)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
    assert not processes(place)
    with next(place.glob("psr-*-gpu-0.lock")).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that is in use."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


TORCHRUN = f"{sys.executable} -m torch.distributed.run --nproc-per-node 2"
RANK = "env RANK=0 LOCAL_RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1"


@pytest.mark.parametrize(
    ("launcher", "line"),
    [
        (
            f"{TORCHRUN} --standalone {TRAINER} ddp {{die}} {{job}}",
            r"the device of rank 1 has too little memory \(.*; lower",
        ),
        (f"{TORCHRUN} --master-port {{taken}} {TRAINER} ddp never {{job}}", "port {taken} of this machine is in use"),
        (f"{RANK} MASTER_PORT={{taken}} {sys.executable} {TRAINER} ddp never {{job}}", "port {taken} .*is in use"),
    ],
    ids=["memory", "port", "MASTER_PORT"],
)
def test_a_rank_without_memory_and_a_port_in_use_are_one_line(
    launcher: str, line: str, taken: int, tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "die").write_text("memory")
    words = {"die": str(tmp_path / "die"), "taken": str(taken), "job": "{job}"}
    with stage(launcher.format(**words), tiny_model, tmp_path) as process:
        output = process.communicate()[1]
    (error,) = [text for text in output.splitlines() if text.startswith("error: ")]
    assert process.returncode == 1 and re.match(f"error: .*{line.format(**words)}", error)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB"), "memory (CUDA out of memory.); lower"),
        (MemoryError(), "memory (MemoryError); lower training.micro_batch"),
        (RuntimeError("shapes differ"), ""),
    ],
)
def test_no_memory_on_a_device_or_the_host_is_one_line_and_no_other_error_is(
    error: Exception, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "job.json").write_text(json.dumps(asdict(worker.Job("sft", "m1", "m2", {}, {}, 1, []))))

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(worker, "_train", fail)
    with pytest.raises(PipelineError if line else RuntimeError) as caught:
        worker.train(tmp_path)
    assert line in str(caught.value) and "\n" not in str(caught.value)


def test_a_killed_stage_takes_its_trainers_along(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "die").write_text("stall")
    with stage(f"{sys.executable} {TRAINER} ddp {tmp_path / 'die'} {{job}} 2", tiny_model, tmp_path) as process:
        assert process.stderr and any("train: 2 processes" in text for text in process.stderr)
        process.kill()
        while processes(tmp_path):
            time.sleep(0.1)
