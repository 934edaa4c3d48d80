"""SFT and step-wise DPO beside a bare PyTorch loop on the same rows, in the same updates, with the same optimizer.

The bare loop pads and stacks the rows of an update, runs the model, and steps AdamW: no trainer, no callbacks, no
checkpoints. Each training is a process of its own, which says its tokens a second and its peak memory.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.sides import Line, against, alone, interleaved
from benchmarks.training import BLANK, IGNORED, rows
from pipeline.core import machine
from pipeline.training import launch, weights
from pipeline.training.order import updates
from pipeline.training.settings import Dpo, LossWeights, Training

Row = dict[str, Any]


def settings(kind: str, batch: int) -> Training:
    """One epoch in fp32; DPO with both losses, as the profile tiny has it."""
    shared: dict[str, Any] = {"epochs": 1, "batch_size": batch, "learning_rate": 1e-4, "warmup_ratio": 0.0}
    shared |= {"max_length": 1024, "bf16": False}
    if kind == "sft":
        return Training(**shared)
    return Dpo(**shared, beta=0.3, loss_weights=LossWeights(sigmoid=1.0, sft=20.0))


def whole(kind: str, row: Row) -> list[tuple[list[int], list[int]]]:
    """The sequences of a row, each with its labels: one, or the chosen and the rejected one."""
    if kind == "sft":
        return [(row["input_ids"], row["labels"])]
    prompt = row["prompt_ids"]
    sides = (row["chosen_ids"], row["rejected_ids"])
    return [(prompt + side, [IGNORED] * len(prompt) + side) for side in sides]


def padded(sequences: Sequence[tuple[list[int], list[int]]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, labels and mask of one batch."""
    pad = partial(torch.nn.utils.rnn.pad_sequence, batch_first=True)
    ids, labels = zip(*sequences, strict=True)
    mask = [torch.ones(len(one), dtype=torch.long) for one in ids]
    return pad([*map(torch.tensor, ids)]), pad([*map(torch.tensor, labels)], padding_value=IGNORED), pad(mask)


def log_probabilities(model: Any, batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """The sum over the labelled tokens of each sequence."""
    ids, labels, mask = batch
    logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1]
    flat = torch.nn.functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), labels[:, 1:].reshape(-1), ignore_index=IGNORED, reduction="none"
    )
    return -flat.reshape(len(ids), -1).sum(1)


def bare(kind: str, start: Path, data: list[Row], order: list[list[int]], chosen: Training, threads: int) -> float:
    """Seconds of the bare loop's updates; DPO's reference is computed before them, as by the trainer."""
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model, _ = weights.load(start, torch.float32)
    model.train()
    batches = [padded([one for index in update for one in whole(kind, data[index])]) for update in order]
    reference = []
    if kind == "dpo":
        with torch.no_grad():
            reference = [log_probabilities(model, batch) for batch in batches]
    optimizer = torch.optim.AdamW(model.parameters(), lr=chosen.learning_rate, weight_decay=0.0)
    begun = time.perf_counter()
    for number, batch in enumerate(batches):
        sums = log_probabilities(model, batch)
        if isinstance(chosen, Dpo):
            gain = sums - reference[number]
            tokens = (batch[1][::2, 1:] != IGNORED).sum()
            loss = -torch.nn.functional.logsigmoid(chosen.beta * (gain[::2] - gain[1::2])).mean()
            loss = loss - chosen.loss_weights.sft * sums[::2].sum() / tokens
        else:
            loss = -sums.sum() / (batch[1][:, 1:] != IGNORED).sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return time.perf_counter() - begun


def trained(kind: str, start: Path, data: list[Row], order: list[list[int]], chosen: Training, threads: int) -> float:
    """Seconds of the updates of the product's own training."""
    here = machine.Training(threads=threads)
    with tempfile.TemporaryDirectory() as folder:
        return launch.run(kind, start, data, BLANK[kind], order, chosen, here, 1, Path(folder, "model")).seconds


WAYS: dict[str, Callable[..., float]] = {"bare loop": bare, "training": trained}


def lines(start: Path, rounds: int, count: int, batch: int = 16, length: int = 256, threads: int = 2) -> list[Line]:
    """Tokens a second of both ways, of each kind of training, and their peak memory."""
    measured: list[Line] = []
    for kind in ("sft", "dpo"):
        data, chosen = rows(kind, count, length, vocabulary=1000), settings(kind, batch)
        sizes = [[len(ids) for ids, _ in whole(kind, row)] for row in data]
        order = updates([sum(size) for size in sizes], batch, 1, 1, by_length=kind == "sft")
        peaks: dict[str, list[float]] = {way: [] for way in WAYS}

        def speed(way: str, job: tuple[Any, ...], tokens: int, peaks: dict[str, list[float]] = peaks) -> float:
            seconds, peak = alone(WAYS[way], *job)
            peaks[way].append(peak)
            return tokens / seconds

        job = (kind, start, data, order, chosen, threads)
        ways = {way: partial(speed, way, job, sum(map(sum, sizes))) for way in WAYS}
        measured += against(kind, interleaved(ways, rounds), "tokens/s")
        measured += [Line(f"{kind}: peak memory, {way}", tuple(peaks[way]), "MiB") for way in WAYS]
    return measured
