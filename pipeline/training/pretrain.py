"""Pre-training of a world's base model from random weights: one pass, Muon for matrices, AdamW for the rest.

Muon (Jordan et al. 2024) learned this corpus from about a third of the tokens that AdamW alone needed. Shapes are
padded to few sizes, because bf16 kernels on a CPU are compiled once for each shape.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from pipeline.core.command import Progress
from pipeline.language.renderer import Renderer
from pipeline.training import corpus, words
from pipeline.training.common import determined
from pipeline.training.recipe import Phase, Recipe
from pipeline.training.weights import save

Row = dict[str, list[int]]
_POOL = 64  # batches that are sorted by length together
_MINIMUM = 0.03  # the learning rate at the end, as a share of its peak


def fresh_model(tokenizer: PreTrainedTokenizerBase, width: int, layers: int, context: int, seed: int) -> Any:
    """A Llama-architecture model with random weights: heads of 32, tied embeddings."""
    determined(seed, threads=1)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=width * 8 // 3 // 32 * 32,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        num_key_value_heads=width // 32,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def pretrain_world(
    world: corpus.World, recipe: Recipe, careless_rate: float, seed: int, threads: int, folder: Path, numbers: int = 0
) -> list[dict[str, Any]]:
    """Make a world's tokenizer, then its base model from the corpus of its authors; statistics by phase.

    numbers: each number below is one token.
    """
    tokenizer = words.tokenizer(corpus.texts(world, seed, recipe.phases[0], careless_rate), numbers)
    renderer = Renderer(tokenizer, world.FAMILY)

    def rows(number: int) -> Iterator[Row]:
        documents = corpus.documents(world, seed + 1000 * number, recipe.phases[number], careless_rate)
        return (corpus.row(renderer, document) for document in documents)

    return pretrain(tokenizer, rows, recipe, seed, threads, folder)


def pretrain(
    tokenizer: PreTrainedTokenizerBase,
    rows: Callable[[int], Iterable[Row]],
    recipe: Recipe,
    seed: int,
    threads: int,
    folder: Path,
) -> list[dict[str, Any]]:
    """Train a fresh model once over the rows (input_ids, labels) of each phase and save it; statistics by phase.

    rows: gives the rows of the phase with that number, from 0. Each phase has a schedule and optimizers of its own.
    """
    model = fresh_model(tokenizer, recipe.width, recipe.layers, recipe.context, seed)
    determined(seed, threads)
    statistics = [_phase(model, rows(n), phase, recipe, seed, n) for n, phase in enumerate(recipe.phases)]
    save(model, tokenizer, folder)
    return statistics


def _phase(model: Any, rows: Iterable[Row], phase: Phase, recipe: Recipe, seed: int, number: int) -> dict[str, Any]:
    """One pass over `rows`. Loss is the mean over labelled tokens of a batch, in nats."""
    hidden = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    optimizers = [
        (torch.optim.Muon(hidden, lr=phase.matrix_rate, weight_decay=0.01), phase.matrix_rate),
        (torch.optim.AdamW(others, lr=phase.other_rate, betas=(0.9, 0.98), weight_decay=0.0), phase.other_rate),
    ]
    updates = math.ceil(phase.documents / recipe.batch_size)
    progress = Progress(f"base, phase {number + 1}", updates)
    losses: list[float] = []
    tokens = 0
    for update, batch in enumerate(_batches(rows, recipe.batch_size, seed)):
        for optimizer, rate in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * schedule(update / updates, recipe.warmup_ratio)
        loss = _loss(model, *_padded(batch), recipe.bf16)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, _ in optimizers:
            optimizer.step()
        model.zero_grad()
        losses.append(loss.item())
        tokens += sum(len(row["input_ids"]) for row in batch)
        progress.advance()
    progress.close()
    last = losses[-100:]
    mean = sum(last) / len(last)
    return {"documents": phase.documents, "tokens": tokens, "updates": updates, "last_loss": mean}


def schedule(progress: float, warmup: float) -> float:
    """Share of the peak learning rate at `progress` (0 to 1): linear warm-up, then cosine."""
    if progress < warmup:
        return progress / warmup
    return _MINIMUM + (1 - _MINIMUM) * 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


def _batches(rows: Iterable[Row], size: int, seed: int) -> Iterator[list[Row]]:
    """Batches of rows of similar length, in random order within each pool."""
    rng = random.Random(seed)
    coming = iter(rows)
    while pool := list(itertools.islice(coming, size * _POOL)):
        pool.sort(key=lambda row: len(row["input_ids"]))
        batches = [pool[start : start + size] for start in range(0, len(pool), size)]
        rng.shuffle(batches)
        yield from batches


def _padded(batch: list[Row]) -> tuple[torch.Tensor, torch.Tensor]:
    """input_ids and labels, each (rows, length), padded on the right to a multiple of 32 tokens."""
    length = -(-max(len(row["input_ids"]) for row in batch) // 32) * 32
    ids, labels = (
        torch.tensor([row[name] + [filler] * (length - len(row[name])) for row in batch])
        for name, filler in (("input_ids", 0), ("labels", -100))
    )
    return ids, labels


def _loss(model: Any, ids: torch.Tensor, labels: torch.Tensor, bf16: bool) -> torch.Tensor:
    """Mean cross-entropy of the labelled tokens; logits are made for those alone, padded to a multiple of 512."""
    targets = labels[:, 1:].reshape(-1)
    wanted = (targets != -100).nonzero()[:, 0]
    filler = (targets == -100).nonzero()[:1, 0].expand(-len(wanted) % 512)
    wanted = torch.cat([wanted, filler])
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        hidden = model.model(ids).last_hidden_state[:, :-1]
        logits = model.lm_head(hidden.reshape(-1, hidden.size(-1))[wanted])
    return functional.cross_entropy(logits.float(), targets[wanted])
