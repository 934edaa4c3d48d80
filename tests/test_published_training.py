"""Who runs the card's code on the published pairs trains on the run's own token ids and gets the run's own model."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hub_stand_in import Hub
from safetensors.torch import load_file
from test_publish import REPOSITORY, STEPS, changed, client, finished, hub, push, record_run  # noqa: F401
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer

from pipeline.core import files, journal, machine
from pipeline.core.config import Prompts, build, laid_over
from pipeline.core.records import Preference
from pipeline.language.renderer import Renderer
from pipeline.publish import configs
from pipeline.publish import lock as locks
from pipeline.training.preference import preference_rows, train_preferences
from pipeline.training.settings import Dpo

TRAINING = {
    "epochs": 1, "batch_size": 4, "learning_rate": 1e-3, "warmup_ratio": 0.1, "max_length": 96, "bf16": False,
}  # fmt: skip
FAMILY: dict[str, Any] = {"family": "arithmetic", "chat": "auto"}


def dpo(beta: float, sft: float) -> dict[str, Any]:
    """The section `dpo` of params.yaml."""
    return {**TRAINING, "beta": beta, "loss_weights": {"sigmoid": 1.0, "sft": sft}}


SHOWN = """
import json
kept = trainer.train_dataset.select_columns(["prompt_ids", "chosen_ids", "rejected_ids"])
print("ROWS", json.dumps([list(row.values()) for row in kept]))
print("LOSS", json.dumps([entry["loss"] for entry in trainer.state.log_history if "loss" in entry]))
"""


def varied(count: int = 13) -> list[Preference]:
    """Pairs of first, middle and last steps, of whole solutions, over several lines, and one that is too long."""
    first = Preference("p", 1, "Ana has 2 keys.", (), STEPS[0], "Step 1: Ben has 2+1=4.", False, False, 2.0, 0.0, "m2")
    kinds = [
        first,
        replace(first, steps=STEPS[:1], chosen=STEPS[1], rejected="Step 2: Hm.", chosen_terminal=True),
        replace(first, steps=STEPS[:1], chosen="Step 2: Hm.", rejected=STEPS[1], rejected_terminal=True),
        replace(first, chosen="Step 1: Ben has\n3 keys.", rejected="Step 1:\nBen  has 4."),
        replace(first, chosen="\n".join(STEPS), chosen_terminal=True, rejected="Step 1: Hm.", rejected_terminal=True),
        replace(first, steps=(STEPS[0],) * 20, chosen="Step 21: So.", rejected="Step 21: Hm."),
    ]  # fmt: skip
    return [replace(kinds[n % 6], problem_id=f"p{n}", prompt=f"Ana has {n} keys.") for n in range(count)]


def trained_run(folder: Path, model_folder: Path, dpo: dict[str, Any], override: dict[str, Any]) -> None:
    """The finished run with a start model m1 and with the training of m2 in its lock."""
    shutil.copytree(model_folder, folder / "data/m1/model", dirs_exist_ok=True)
    files.write(folder / "data/m2/pairs/train.parquet", Preference, varied())
    record_run(folder)
    recorded = yaml.safe_load((folder / "dvc.lock").read_text())
    model = {"path": "data/m1/model", "md5": locks.md5(folder / "data/m1/model")}
    recorded["stages"]["sft@m1"] = {"cmd": "sft", "deps": [{"path": "data/m0/model"}], "params": {}, "outs": [model]}
    parameters = {"seed": 3, "prompts": FAMILY, "dpo": dpo, "rounds.m2": {"from": "m1", "dpo": override}}
    recorded["stages"]["dpo@m2"] = {"cmd": "dpo", "params": {"params.yaml": parameters}, "outs": []}
    (folder / "dvc.lock").write_text(yaml.safe_dump(recorded, sort_keys=False))


@pytest.fixture
def chat_model(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model with a chat template and a tokenizer that begins each sequence with a token."""
    folder = tmp_path / "chat"
    shutil.copytree(tiny_model, folder)
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    tokenizer.bos_token = tokenizer.eos_token
    made, bos = tokenizer.backend_tokenizer, tokenizer.bos_token
    made.post_processor = TemplateProcessing(single=f"{bos} $A", special_tokens=[(bos, tokenizer.bos_token_id)])
    tokenizer.chat_template = (
        "{% for turn in messages %}{{ turn['role'] + ': ' + turn['content'] }}{{ '<|endoftext|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
    )
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("model", "section", "override"),
    [
        ("tiny_model", dpo(0.3, 20.0), {}),
        ("tiny_model", dpo(0.3, 0.0), {}),
        ("tiny_model", dpo(0.1, 1.0), {"beta": 0.5, "bf16": True, "loss_weights": {"sft": 4.0}}),
        ("chat_model", dpo(0.3, 20.0), {}),
    ],
    ids=["both losses", "preference alone", "a round's own settings", "a chat model"],
)
def test_the_cards_code_as_it_stands_gives_the_runs_own_model(
    hub: Hub,  # noqa: F811
    finished: Path,  # noqa: F811
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    section: dict[str, Any],
    override: dict[str, Any],
) -> None:
    begun = request.getfixturevalue(model)
    renderer = Renderer(AutoTokenizer.from_pretrained(str(begun)), "arithmetic")
    trained_run(finished, begun, section, override)
    push(changed(models=("m1",)))
    (code,) = re.findall(r"```python\n(.*?)```", hub.dataset(REPOSITORY).head.files["README.md"].decode(), re.DOTALL)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    command = [sys.executable, "-c", code + SHOWN]
    done = subprocess.run(command, cwd=theirs, env=client(hub, tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    shown = dict(line.split(" ", 1) for line in done.stdout.splitlines() if line.startswith(("ROWS ", "LOSS ")))

    settings = build(Dpo, laid_over(section, override), "dpo")
    rows = preference_rows(renderer, varied())
    kept = [[row[name] for name in ("prompt_ids", "chosen_ids", "rejected_ids")] for row in rows]
    kept = [row for row in kept if len(row[0]) + max(map(len, row[1:])) <= TRAINING["max_length"]]
    assert json.loads(shown["ROWS"]) == kept and 0 < len(kept) < len(rows)
    ends = [ids[-1] == renderer.end for row in kept for ids in row[1:]]
    assert any(ends) and not all(ends)

    monkeypatch.setattr(journal, "FOLDER", tmp_path / "work")
    ours = tmp_path / "ours"
    train_preferences(begun, varied(), Prompts(**FAMILY), settings, machine.Training(), 3, ours)
    start, mine, other = (load_file(folder / "model.safetensors") for folder in (begun, ours, theirs / "m2"))
    assert set(mine) == set(other)
    rounding = 1e-6 if not settings.bf16 else 1e-3  # rows of an update stand in another order
    for name, weights in mine.items():
        assert torch.allclose(weights, other[name], atol=rounding), name
    assert any(not torch.allclose(weights, start[name], atol=1e-5) for name, weights in mine.items())
    assert all(loss > 0 for loss in json.loads(shown["LOSS"]))


def test_a_run_without_the_start_among_its_pushed_models_names_its_folder(
    hub: Hub,  # noqa: F811
    finished: Path,  # noqa: F811
) -> None:
    push()
    card = hub.dataset(REPOSITORY).head.files["README.md"].decode()
    assert 'START = "data/m1/model"' in card and "{{" not in card


def test_published_ids_of_a_chat_model_hold_its_frame_and_the_texts_do_not(chat_model: Path) -> None:
    renderer = Renderer(AutoTokenizer.from_pretrained(str(chat_model)), "arithmetic")
    for pair in varied():
        row = configs.published(pair, renderer)
        prompt = renderer.tokenizer.decode(row.prompt_ids)
        assert prompt.startswith("<|endoftext|>user: Question: Ana has") and prompt.endswith(":")
        assert "<|endoftext|>\nassistant: " in prompt and "assistant" not in row.prompt
        assert row.prompt.endswith(f"Step {len(pair.steps) + 1}:")
        assert renderer.tokenizer.decode(row.chosen_ids) == row.chosen + "<|endoftext|>" * row.is_terminal
        assert configs.record(row) == pair
