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
from conftest import ROOT, phase

from pipeline.core import machine
from pipeline.core.config import Prompts
from pipeline.core.errors import PipelineError
from pipeline.core.records import JudgedPair, LabelledSolution, Preference, Solution
from pipeline.domains.arithmetic import authors
from pipeline.language import steps
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import prm, rows
from pipeline.training import corpus
from pipeline.training.preference import preference_rows, train_preferences
from pipeline.training.pretrain import pretrain
from pipeline.training.recipe import Recipe
from pipeline.training.settings import Dpo, LossWeights, Training
from pipeline.training.supervised import completion_row, solution_row, train_supervised

TRAINING = Training(epochs=1, batch_size=4, learning_rate=1e-2, warmup_ratio=0.1, max_length=300, bf16=False)
HERE, FAMILY = machine.Training(), Prompts(family="arithmetic", chat="auto")
SOLUTION = Solution(
    "p", "Ana has 2 keys.", ("Step 1: Ben has 2+1=3.", "Step 2: Cleo has 3+1=4. The answer is \\boxed{4}.")
)
PAIR = Preference(
    "p", 1, "Ana has 2 keys.", (), "Step 1: Ben has 2+1=3.", "Step 1: Ben has 2+1=4.", False, False, 2.0, 0.0, "m2"
)  # fmt: skip
LAST = replace(
    PAIR,
    steps=SOLUTION.steps[:1],
    chosen=SOLUTION.steps[1],
    rejected="Step 2: Cleo has 3+1=5.",
    chosen_terminal=True,
    step_index=2,
)


def dpo(sft: float = 0.0, **other: Any) -> Dpo:
    """Step-wise DPO with a weight of the likelihood term, and other values of the schedule."""
    weights = LossWeights(sigmoid=1.0, sft=sft)
    return Dpo(**{**TRAINING.model_dump(), "beta": 0.3, "loss_weights": weights, **other})


def loss_text(renderer: Renderer, row: dict[str, list[int]]) -> str:
    return renderer.tokenizer.decode([label for label in row["labels"] if label >= 0])


def test_the_loss_is_on_the_completion_alone(renderer: Renderer) -> None:
    row = solution_row(renderer, SOLUTION)
    assert loss_text(renderer, row) == steps.join(SOLUTION.steps).removeprefix("Step 1:") + "<|endoftext|>"
    prompt = [i for i, label in zip(row["input_ids"], row["labels"], strict=True) if label < 0]
    assert prompt == renderer.reasoning(SOLUTION.prompt)
    pair = JudgedPair("p/0", "p", "q", (), "Step 1: a", "Step 1: b", "A: right. [[A]]", "A", 0.9, 0.1)
    assert loss_text(renderer, completion_row(*rows.token_ids(renderer, pair))) == "A: right. [[A]]<|endoftext|>"


@pytest.mark.parametrize("family", ["arithmetic", "math"])
def test_the_prm_is_trained_on_label_tokens_after_the_marks_and_never_reads_one(words: Any, family: str) -> None:
    renderer = Renderer(words, family)
    row = prm.training_row(renderer, LabelledSolution("p", "q", ("Step 1: a", "Step 2: b"), (True, False)))
    assert loss_text(renderer, row) == "+-"
    assert len(row["input_ids"]) == len(row["labels"])
    labelled = [i for i, label in enumerate(row["labels"]) if label >= 0]
    for label_at, step in zip(labelled, ("Step 1: a", "Step 2: b"), strict=True):
        marked = prm.marked_ids(renderer, step)
        assert row["input_ids"][label_at - len(marked) : label_at] == marked
    request = prm.request(renderer, "q", ("Step 1: a",), "Step 2: b", "prm")
    assert list(request.prompt_ids) == row["input_ids"][:-1]


def test_only_a_terminal_step_ends_the_sequence_and_prompts_are_the_sampled_ids(renderer: Renderer) -> None:
    first, last = preference_rows(renderer, [PAIR, LAST])
    end = renderer.tokenizer.eos_token_id
    assert first["chosen_ids"][-1] != end and first["rejected_ids"][-1] != end
    assert last["chosen_ids"][-1] == end and last["rejected_ids"][-1] != end
    assert last["prompt_ids"] == renderer.reasoning(LAST.prompt, LAST.steps)
    assert renderer.tokenizer.decode(last["prompt_ids"]).endswith("Step 2:")
    assert renderer.tokenizer.decode(last["rejected_ids"]) == " Cleo has 3+1=5.\n"


def test_sft_learns_its_rows_and_is_reproducible(renderer: Renderer, tiny_model: Path, tmp_path: Path) -> None:
    rows, settings = [solution_row(renderer, SOLUTION)] * 24, TRAINING.model_copy(update={"epochs": 4})
    weights = []
    for name in ("a", "b"):
        trained = train_supervised(tiny_model, rows, settings, HERE, 1, tmp_path / name)
        assert not trained.dropped and trained.statistics["rows"] == 24
        assert trained.statistics["last_loss"] < trained.statistics["first_loss"]
        weights.append((tmp_path / name / "model.safetensors").read_bytes())
        assert not [f for f in (tmp_path / name).iterdir() if f.suffix in (".bin", ".pt", ".pkl", ".pth")]
    assert weights[0] == weights[1]


def test_dpo_raises_the_chosen_step_above_the_rejected_one(tiny_model: Path, tmp_path: Path) -> None:
    settings = dpo(sft=1.0, epochs=6, learning_rate=3e-3)
    trained = train_preferences(tiny_model, [PAIR, LAST] * 8, FAMILY, settings, HERE, 1, tmp_path / "m")
    assert not trained.dropped
    assert trained.statistics["reward_accuracy"] == 1.0 and trained.statistics["reward_margin"] > 0


def test_rows_over_the_length_are_kept_as_drops_with_their_reason(tiny_model: Path, tmp_path: Path) -> None:
    long = replace(PAIR, prompt="Ana has 2 keys. " * 200)
    trained = train_preferences(tiny_model, [PAIR, long], FAMILY, dpo(), HERE, 1, tmp_path / "m")
    assert trained.statistics["pairs"] == 1
    assert [(row.key, row.reason) for row in trained.dropped] == [("p/1", "too_long")]
    with pytest.raises(PipelineError, match="no preference pair"):
        train_preferences(tiny_model, [long], FAMILY, dpo(), HERE, 1, tmp_path / "n")


def test_a_model_folder_without_weights_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no weights"):
        train_supervised(tmp_path, [{"input_ids": [1, 2], "labels": [1, 2]}], TRAINING, HERE, 1, tmp_path / "out")


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_rows_that_are_all_too_long_are_one_clear_error(
    kind: str, renderer: Renderer, tiny_model: Path, tmp_path: Path
) -> None:
    long = replace(PAIR, prompt="Ana has 2 keys. " * 200)
    with pytest.raises(PipelineError, match=r"too few for all 3 rows|no preference pair to train on"):
        if kind == "sft":
            rows = [solution_row(renderer, replace(SOLUTION, prompt=long.prompt))] * 3
            train_supervised(tiny_model, rows, TRAINING, HERE, 1, tmp_path / "m")
        else:
            train_preferences(tiny_model, [long] * 3, FAMILY, dpo(), HERE, 1, tmp_path / "m")


def test_pretraining_runs_every_phase_and_gives_the_same_bytes_again(renderer: Renderer, tmp_path: Path) -> None:
    phases = (phase(24, checks=0.4, homework=0.2), phase(12, homework=0.2, contrasts=0.4, lines=0.2))
    recipe = Recipe(width=32, layers=1, context=256, batch_size=6, warmup_ratio=0.1, bf16=True, phases=phases)

    def rows(number: int) -> Iterator[dict[str, list[int]]]:
        return (corpus.row(renderer, document) for document in corpus.documents(authors, number, phases[number], 0.5))

    statistics = [pretrain(renderer.tokenizer, rows, recipe, 1, 1, tmp_path / name) for name in ("first", "again")]
    assert [phase["updates"] for phase in statistics[0]] == [4, 2]
    assert statistics[0] == statistics[1]
    first, again = (tmp_path / name / "model.safetensors" for name in ("first", "again"))
    assert first.read_bytes() == again.read_bytes()


def test_a_stage_computes_without_amx_whose_sums_have_other_bytes(tmp_path: Path) -> None:
    (tmp_path / "stage.py").write_text("""if True:
        import torch
        from pipeline.core.command import run

        def main(stage):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                torch.nn.Linear(64, 64)(torch.ones(64, 64)).sum().backward()
            torch.nn.Conv2d(16, 32, 3)(torch.ones(8, 16, 64, 64))  # where the CPU has no bf16, oneDNN speaks here

        run(main)
    """)
    environment = {name: value for name, value in os.environ.items() if name != "ONEDNN_MAX_CPU_ISA"}
    output = subprocess.run(
        [sys.executable, str(tmp_path / "stage.py")],
        env={**environment, "ONEDNN_VERBOSE": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "cpu,isa:" in output and "AMX" not in output
