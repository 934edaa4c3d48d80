"""Memory and speed of SFT and step-wise DPO on this machine's device, on a model of random weights.

    python -m benchmarks.training --shape qwen2.5-1.5b --output reports/training.json

Prints a Markdown table (docs/gpu.md keeps the last one of a GPU): peak memory that torch allocated, tokens a second of
the updates, and the share of the device's bf16 speed, measured beside it by a product of two square matrices.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

from pipeline.core import machine
from pipeline.training import launch
from pipeline.training.order import updates
from pipeline.training.settings import Dpo, Lora, LossWeights, Training

SHAPES = {  # hidden, intermediate, layers, heads, key-value heads, tied embeddings
    "tiny": (64, 176, 2, 4, 2, True),
    "qwen2.5-1.5b": (1536, 8960, 28, 12, 2, True),
    "qwen2.5-7b": (3584, 18944, 28, 28, 4, False),
}
_VOCABULARY = 151_936
IGNORED = -100  # the label of a token that is not trained
BLANK: dict[str, dict[str, Any]] = {
    "sft": {"input_ids": [0, 0], "labels": [IGNORED, IGNORED]},
    "dpo": {"prompt_ids": [0], "chosen_ids": [0], "rejected_ids": [0], "consistency": 1.0, "weight": 0.0},
}


@dataclass(frozen=True)
class Case:
    """One training. micro: rows that the device takes at once."""

    kind: str
    lora: int
    micro: int
    checkpointing: bool
    launcher: str = "none"


CASES = (
    Case("sft", 0, 16, True),
    Case("sft", 0, 4, True),
    Case("sft", 0, 16, True),
    Case("dpo", 0, 4, True),
    Case("sft", 16, 4, True),
    Case("dpo", 16, 4, True),
    Case("sft", 16, 1, True),
    Case("sft", 0, 4, True, "accelerate"),
)


def fresh(shape: str, tokenizer: Path, folder: Path) -> int:
    """A model of random weights in bf16; its number of parameters."""
    hidden, intermediate, layers, heads, pairs, tied = SHAPES[shape]
    config = Qwen2Config(
        vocab_size=_VOCABULARY if shape != "tiny" else 4096,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=pairs,
        tie_word_embeddings=tied,
        max_position_embeddings=4096,
    )
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = Qwen2ForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(str(tokenizer)).save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.parameters())


def rows(kind: str, count: int, length: int, vocabulary: int = 4000) -> list[dict[str, Any]]:
    """Rows of about `length` tokens, a quarter of them trained."""
    rng = random.Random(0)
    made: list[dict[str, Any]] = []
    for _ in range(count):
        ids = [rng.randrange(vocabulary) for _ in range(rng.randrange(length // 2, length + 1))]
        cut = len(ids) * 3 // 4
        if kind == "sft":
            made.append({"input_ids": ids, "labels": [IGNORED] * cut + ids[cut:]})
        else:
            other = [rng.randrange(vocabulary) for _ in ids[cut:]]
            made.append({"prompt_ids": ids[:cut], "chosen_ids": ids[cut:], "rejected_ids": other})
            made[-1] |= {"consistency": 1.0, "weight": 1.0}
    return made


def measured(case: Case, model: Path, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Train once; figures of the run."""
    data = rows(case.kind, options.batch * options.updates, options.length)
    shared: dict[str, Any] = {
        "epochs": 1,
        "batch_size": options.batch,
        "learning_rate": 1e-6,
        "warmup_ratio": 0.0,
        "max_length": 4096,
        "bf16": torch.cuda.is_available(),
        "saved_dtype": "bfloat16",
        "lora": Lora(rank=case.lora),
    }
    settings = Training(**shared)
    if case.kind == "dpo":
        settings = Dpo(**shared, beta=0.1, loss_weights=LossWeights(sigmoid=1.0, sft=0.0))
    here = machine.Training(
        micro_batch=case.micro,
        gradient_checkpointing=case.checkpointing,
        launcher=case.launcher,
        config="ddp",
        processes=1,
    )
    lengths = [len(row.get("input_ids") or row["prompt_ids"] + row["chosen_ids"]) for row in data]
    order = updates(lengths, options.batch, 1, 1, by_length=False)
    begun = time.monotonic()
    outcome = launch.run(case.kind, model, data, BLANK[case.kind], order, settings, here, 1, folder)
    shutil.rmtree(folder)
    tokens = sum(lengths) * (2 if case.kind == "dpo" else 1)
    return {
        "training": case.kind + (f", LoRA {case.lora}" if case.lora else ""),
        "rows at once": case.micro,
        "checkpointing": "yes" if case.checkpointing else "no",
        "launcher": case.launcher,
        "peak GiB": round(outcome.peak_mib / 1024, 1),
        "tokens/s": round(tokens / outcome.seconds),
        "seconds": outcome.seconds,
        "whole seconds": round(time.monotonic() - begun, 1),
        "first loss": round(outcome.curve[0]["loss"], 4),
    }


def product_speed() -> float:
    """TFLOP/s of a bf16 product of 8192 x 8192 matrices; 0 without a GPU."""
    if not torch.cuda.is_available():
        return 0.0
    first, second = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        first @ second
    torch.cuda.synchronize()
    begun = time.monotonic()
    for _ in range(10):
        first @ second
    torch.cuda.synchronize()
    return 10 * 2 * 8192**3 / (time.monotonic() - begun) / 1e12


def main() -> None:
    """Run all cases; one that fails is a row with its reason."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="tiny")
    parser.add_argument("--tokenizer", type=Path, default=Path("pipeline/domains/arithmetic/shipped"))
    parser.add_argument("--folder", type=Path, default=Path(".work/benchmark"), help="for the models; removed after")
    parser.add_argument("--output", type=Path, help="JSON, beside the table")
    parser.add_argument("--cases", type=int, nargs="*", default=range(len(CASES)), help="numbers of cases, from 0")
    parser.add_argument("--batch", type=int, default=32, help="rows of an update")
    parser.add_argument("--updates", type=int, default=8)
    parser.add_argument("--length", type=int, default=1024, help="tokens of the longest row")
    options = parser.parse_args()
    start = options.folder / "start"
    speed = product_speed()
    parameters = fresh(options.shape, options.tokenizer, start)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {os.cpu_count()} cores"
    print(f"{device}; {options.shape}, {parameters:,} parameters; bf16 product {speed:.0f} TFLOP/s", flush=True)
    measurements: list[dict[str, Any]] = []
    for number in options.cases:
        try:
            row = measured(CASES[number], start, options, options.folder / "trained")
        except Exception as error:  # the other cases go on
            print(f"case {number} {CASES[number]}: {error}", file=sys.stderr, flush=True)
            continue
        row["share of bf16 speed"] = round(6 * parameters * row["tokens/s"] / (speed * 1e12), 3) if speed else None
        if not measurements:
            print("| " + " | ".join(row) + " |\n|" + " --- |" * len(row))
        print("| " + " | ".join(map(str, row.values())) + " |", flush=True)
        measurements.append(row)
        if options.output:
            whole = {"device": device, "shape": options.shape, "parameters": parameters, "tflops": speed}
            options.output.write_text(json.dumps(whole | {"rows": measurements}, indent=2), encoding="utf-8")
    shutil.rmtree(options.folder)


if __name__ == "__main__":
    main()
