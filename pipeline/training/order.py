"""Which rows each update sees, over all epochs: decided before a training starts, so that it can go on anywhere.

The order depends on rows, batch size and seed alone, not on devices: an update's rows are spread over them, and an
update with fewer rows than the others is filled with a row of no weight.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch

_POOL = 50  # updates whose rows are sorted by length together


def updates(lengths: Sequence[int], batch_size: int, epochs: int, seed: int, *, by_length: bool) -> list[list[int]]:
    """Rows of each update, as indices into `lengths` (tokens); every epoch has each row once.

    The last update that an epoch cuts has the rest of its rows. by_length: rows of similar length go together, which
    saves padding; else each epoch is the permutation that accelerate's seedable sampler draws, so that TRL alone, on
    one device, sees the same updates (as the card of a published data set shows). Within an update rows go from long
    to short, so that the rows that one device takes at a time have similar lengths.
    """
    order: list[list[int]] = []
    for epoch in range(epochs):
        rows = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(seed + epoch)).tolist()
        if by_length:
            pools = _cut(rows, batch_size * _POOL)
            rows = [row for pool in pools for row in sorted(pool, key=lambda row: -lengths[row])]
        cut = _cut(rows, batch_size)
        if by_length:
            random.Random(f"{seed}/{epoch}").shuffle(cut)
        order += [sorted(update, key=lambda row: -lengths[row]) for update in cut]
    return order


def _cut(rows: list[int], size: int) -> list[list[int]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def filled(order: Sequence[Sequence[int]], batch_size: int, blank: int) -> list[int]:
    """All updates in one sequence, each of `batch_size` rows: `blank` (a row of no weight) takes the place of missing
    ones."""
    return [row for update in order for row in (*update, *[blank] * (batch_size - len(update)))]
