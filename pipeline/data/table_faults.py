"""What no stage writes into a table of the right type: numbers that are none, a key twice, labels without a step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.core import columns, files
from pipeline.core.records import (
    JudgedPair,
    LabelledSolution,
    Problem,
    SampleSet,
    ScoredSolution,
    SearchTree,
    Solution,
    Tree,
)
from pipeline.language import steps

# The column whose value stands in one row alone.
_KEYS: dict[Any, str] = dict.fromkeys((Problem, Solution, Tree, SearchTree, SampleSet), "problem_id")
_KEYS |= {JudgedPair: "pair_id", ScoredSolution: "solution_id"}
_INFINITE = "log_odds"  # of a letter that a server gives no probability
_GOLD = ("answer", "solution", "entry")


def faults(path: Path, where: str) -> Iterator[str]:
    """What is wrong in the rows of a table, a line each. where: how the table is called there.

    All of it is read before the first line: pa.ArrowException, OSError or UnicodeDecodeError where it is torn.
    """
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        for name, count in _not_finite(file).items():
            yield f"{where}: {name}: {count} numbers are not finite"
        kind = next((kind for kind in (*_KEYS, LabelledSolution) if files.schema(kind).names == names), None)
        if key := _KEYS.get(kind):
            yield from _twice(where, file, key)
        if kind is LabelledSolution:
            yield from _labels(where, file)
        if kind is Solution:
            yield from _steps(where, file)


def _not_finite(file: pq.ParquetFile) -> dict[str, int]:
    """How many numbers of each column are not finite; every column is read and validated."""
    odd = Counter[str]()
    for batch in columns.batches(file):
        batch.validate(full=True)
        for name in batch.schema.names:
            for leaf, values in leaves(batch.column(name), name):
                if pa.types.is_floating(values.type) and _INFINITE not in leaf:
                    odd[name] += pc.sum(pc.invert(pc.is_finite(values))).as_py() or 0
    return +odd


def leaves(array: pa.Array, name: str) -> Iterator[tuple[str, pa.Array]]:
    """The scalars of a column, whatever they are nested in, each by the innermost name."""
    if pa.types.is_list(array.type):
        yield from leaves(array.flatten(), name)
    elif pa.types.is_struct(array.type):
        for field, part in zip(array.type, array.flatten(), strict=True):
            yield from leaves(part, field.name)
    else:
        yield name, array


def _twice(where: str, file: pq.ParquetFile, key: str) -> Iterator[str]:
    seen: dict[int, int] = {}  # by hash, so that no text is held
    for number, (value,) in enumerate(columns.rows(file, [key])):
        if (first := seen.setdefault(hash(value), number)) != number:
            yield f"{where}: row {number} ({value}): has the {key} of row {first}"


def _labels(where: str, file: pq.ParquetFile) -> Iterator[str]:
    parts = columns.rows(file, ["problem_id", "completions", "labels"])
    for number, (problem, completions, labels) in enumerate(parts):
        if len(completions) != len(labels) or not labels:
            yield f"{where}: row {number} ({problem}): has {len(completions)} steps and {len(labels)} labels"


def _steps(where: str, file: pq.ParquetFile) -> Iterator[str]:
    for number, (problem, parts) in enumerate(columns.rows(file, ["problem_id", "steps"])):
        if steps.parts(steps.join(parts)) != tuple(parts) or not steps.MARKER.match("".join(parts[:1])):
            yield f"{where}: row {number} ({problem}): its steps are not `Step 1: ` and so on"


def golden(path: Path, gold: bool) -> Iterator[str]:
    """Rows of a round's problems with a gold answer or solution; gold: it may have the answer."""
    with pq.ParquetFile(path) as file:
        for number, (problem, *values) in enumerate(columns.rows(file, ["problem_id", *_GOLD])):
            named = [name for name, value in zip(_GOLD, values, strict=True) if value]
            if shown := [name for name in named if name == "solution" or not gold]:
                yield f"{path}: row {number} ({problem}): has its {shown[0]}, which no round may see"
