"""A small sample of one model's data for the report: whole trees, and the texts that Figure 2 maps.

Rows are chosen by a hash of their key, so that the same rows are shown whatever their order or neighbours.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from pipeline.core.records import Preference, Solution, Text
from pipeline.language.steps import join

Row = TypeVar("Row")


def by_hash(rows: Iterable[Row], key: Callable[[Row], str], count: int) -> list[Row]:
    """The `count` rows whose keys have the smallest hashes, in the order given; no more rows than these are held."""
    chosen = heapq.nsmallest(count, enumerate(rows), key=lambda one: hashlib.sha256(key(one[1]).encode()).digest())
    return [row for _, row in sorted(chosen, key=lambda one: one[0])]


def balanced(texts: Sequence[Text], count: int) -> list[Text]:
    """Equally many texts of every kind, at most `count`; a row that two models were trained on counts once."""
    kinds: dict[str, dict[str, Text]] = {}
    for text in texts:
        kinds.setdefault(text.kind, {})[text.key] = text
    size = min(count, *(len(rows) for rows in kinds.values()))
    return [t for rows in kinds.values() for t in by_hash(list(rows.values()), lambda text: text.key, size)]


def texts_of_solutions(rows: Iterable[Solution]) -> list[Text]:
    """IFT rows: the problem, and its whole solution."""
    return [Text("IFT", row.problem_id, row.prompt, join(row.steps)) for row in rows]


def texts_of_preferences(rows: Iterable[Preference]) -> Iterator[Text]:
    """PPD rows: problem and steps so far, and the chosen step."""
    for row in rows:
        key = f"{row.iteration}/{row.problem_id}/{row.step_index}"
        yield Text("PPD", key, join([row.prompt, *row.steps]), row.chosen)
