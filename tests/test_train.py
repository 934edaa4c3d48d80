"""The trainers on a tiny real model: masks, ends of sequence, determinism, safe files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core import journal
from pipeline.core.errors import PipelineError
from pipeline.core.params import Base, Dpo, Phase, Training
from pipeline.core.records import JudgedPair, LabelledSolution, Preference, Solution
from pipeline.domains.arithmetic import corpus
from pipeline.language import prompts, steps
from pipeline.methods.psrlm import prm
from pipeline.training import (
    judgment_row,
    preference_rows,
    pretrain,
    solution_row,
    train_preferences,
    train_supervised,
)
from pipeline.training.common import StageProgress

TRAINING = Training(1, 4, 1e-2, warmup=0.1, max_length=300, bf16=False, threads=1, checkpoint_updates=0)
SOLUTION = Solution(
    "p", "Ana has 2 keys.", ("Step 1: Ben has 2+1=3.", "Step 2: Cleo has 3+1=4. The answer is \\boxed{4}.")
)
PAIR = Preference(
    "p", 1, "Ana has 2 keys.", (), "Step 1: Ben has 2+1=3.", "Step 1: Ben has 2+1=4.", False, False, 2.0, 0.0, "m2"
)  # fmt: skip
LAST = replace(PAIR, steps=SOLUTION.steps[:1], chosen=SOLUTION.steps[1], chosen_terminal=True, step_index=2)


def loss_text(words: Any, row: dict[str, list[int]]) -> str:
    return words.decode([label for label in row["labels"] if label >= 0])


def test_the_loss_is_on_the_completion_alone(words: Any) -> None:
    assert loss_text(words, solution_row(words, "arithmetic", SOLUTION)) == steps.join(SOLUTION.steps) + "<|endoftext|>"
    pair = JudgedPair("p/0", "p", "q", (), "Step 1: a", "Step 1: b", "A: right. [[A]]", "A", 0.9, 0.1)
    assert loss_text(words, judgment_row(words, "arithmetic", pair)) == "A: right. [[A]]<|endoftext|>"


@pytest.mark.parametrize("family", ["arithmetic", "math"])
def test_the_prm_is_trained_on_label_tokens_after_the_marks_and_never_reads_one(words: Any, family: str) -> None:
    row = prm.training_row(words, family, LabelledSolution("p", "q", ("Step 1: a", "Step 2: b"), (True, False)))
    assert loss_text(words, row) == "+-"
    assert len(row["input_ids"]) == len(row["labels"])
    labelled = [i for i, label in enumerate(row["labels"]) if label >= 0]
    for label_at, step in zip(labelled, ("Step 1: a", "Step 2: b"), strict=True):
        marked = prm.marked_ids(words, family, step)
        assert row["input_ids"][label_at - len(marked) : label_at] == marked
    asked = prm.request(words, family, "q", ("Step 1: a",), "Step 2: b", "prm")
    assert list(asked.prompt_ids) == row["input_ids"][:-1]


def test_only_a_terminal_step_ends_the_sequence_and_prompts_are_the_sampled_ids(words: Any) -> None:
    first, last = preference_rows(words, "arithmetic", [PAIR, LAST])
    end = words.eos_token_id
    assert first["chosen_ids"][-1] != end and first["rejected_ids"][-1] != end
    assert last["chosen_ids"][-1] == end and last["rejected_ids"][-1] != end
    question = prompts.fill("arithmetic", "reasoning", problem=LAST.prompt)
    assert last["prompt_ids"] == steps.prompt_ids(words, question, LAST.steps)


def test_sft_learns_its_rows_and_is_reproducible(words: Any, tiny_model: Path, tmp_path: Path) -> None:
    rows = [solution_row(words, "arithmetic", SOLUTION)] * 24
    weights = []
    for name in ("a", "b"):
        statistics, dropped = train_supervised(tiny_model, rows, replace(TRAINING, epochs=4), 1, tmp_path / name)
        assert not dropped and statistics["rows"] == 24
        assert statistics["last_loss"] < statistics["first_loss"]
        weights.append((tmp_path / name / "model.safetensors").read_bytes())
        assert not [f for f in (tmp_path / name).iterdir() if f.suffix in (".bin", ".pt", ".pkl", ".pth")]
    assert weights[0] == weights[1]


def test_dpo_raises_the_chosen_step_above_the_rejected_one(words: Any, tiny_model: Path, tmp_path: Path) -> None:
    settings = Dpo(beta=0.3, likelihood=1.0, training=replace(TRAINING, epochs=6, learning_rate=3e-3))
    statistics, dropped = train_preferences(tiny_model, [PAIR, LAST] * 8, "arithmetic", settings, 1, tmp_path / "m")
    assert not dropped
    assert statistics["reward_accuracy"] == 1.0 and statistics["reward_margin"] > 0


def test_rows_over_the_length_are_kept_as_drops_with_their_reason(words: Any, tiny_model: Path, tmp_path: Path) -> None:
    long = replace(PAIR, prompt="Ana has 2 keys. " * 200)
    settings = Dpo(beta=0.3, likelihood=0.0, training=TRAINING)
    statistics, dropped = train_preferences(tiny_model, [PAIR, long], "arithmetic", settings, 1, tmp_path / "m")
    assert statistics["pairs"] == 1
    assert [(row.key, row.reason) for row in dropped] == [("p/1", "too_long")]
    with pytest.raises(PipelineError, match="no preference pair"):
        train_preferences(tiny_model, [long], "arithmetic", settings, 1, tmp_path / "n")


def test_a_model_folder_without_weights_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no weights"):
        train_supervised(tmp_path, [], TRAINING, 1, tmp_path / "out")


def test_a_broken_training_goes_on_from_its_checkpoint_and_gives_the_same_bytes(
    words: Any, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "FOLDER", tmp_path / "unfinished")
    rows = [solution_row(words, "arithmetic", replace(SOLUTION, prompt=f"Ana has {i} keys.")) for i in range(24)]
    train_supervised(tiny_model, rows, TRAINING, 1, tmp_path / "whole")
    settings = replace(TRAINING, checkpoint_updates=2)
    advance = StageProgress.on_step_end

    def break_off(self: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
        advance(self, args, state, control, **more)
        if state.global_step == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(StageProgress, "on_step_end", break_off)
        train_supervised(tiny_model, rows, settings, 1, tmp_path / "broken")
    assert [path.name for path in (tmp_path / "unfinished").glob("train/*/checkpoint-*")] == ["checkpoint-4"]
    train_supervised(tiny_model, rows, settings, 1, tmp_path / "broken")
    whole, broken = (tmp_path / name / "model.safetensors" for name in ("whole", "broken"))
    assert whole.read_bytes() == broken.read_bytes()
    assert not list((tmp_path / "unfinished").glob("train/*"))


def test_pretraining_runs_every_phase_and_gives_the_same_bytes_again(words: Any, tmp_path: Path) -> None:
    phases = [Phase(24, 0.4, 0.2, 0.0, 0.0, 0.01, 1e-3), Phase(12, 0.0, 0.2, 0.4, 0.2, 0.01, 1e-3)]
    recipe = Base(width=32, layers=1, context=256, batch=6, warmup=0.1, threads=1, phases=phases)

    def rows(number: int) -> Iterator[dict[str, list[int]]]:
        return (corpus.row(words, document) for document in corpus.documents(number, phases[number], 0.5))

    statistics = [pretrain(words, rows, recipe, 1, tmp_path / name) for name in ("first", "again")]
    assert [phase["updates"] for phase in statistics[0]] == [4, 2]
    assert statistics[0] == statistics[1]
    first, again = (tmp_path / name / "model.safetensors" for name in ("first", "again"))
    assert first.read_bytes() == again.read_bytes()


def test_a_stage_computes_without_amx_whose_sums_have_other_bytes() -> None:
    script = """if True:
        import torch
        from pipeline.core.command import run

        def main():
            with torch.autocast("cpu", dtype=torch.bfloat16):
                torch.nn.Linear(64, 64)(torch.ones(64, 64)).sum().backward()

        run(main)
    """
    environment = {name: value for name, value in os.environ.items() if name != "ONEDNN_MAX_CPU_ISA"}
    said = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parent.parent,
        env={**environment, "ONEDNN_VERBOSE": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "cpu,isa:" in said and "AMX" not in said
