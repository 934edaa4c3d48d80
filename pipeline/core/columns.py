"""Arrow columns as records, a column at a time: many times as fast as a row at a time where records are nested."""

from __future__ import annotations

import gc
import itertools
import types
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

SCALARS = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def records(row_type: Any, column: Callable[[str], pa.Array], without: Collection[str] = ()) -> list[Any]:
    """The records of a type. column: gives the column of a field; without: lists that have none and are empty.

    Garbage collection waits: new records are none, and to look at each of them takes longer than to make it.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _records(row_type, column, without)
    finally:
        if collecting:
            gc.enable()


def _records(row_type: Any, column: Callable[[str], pa.Array], without: Collection[str]) -> list[Any]:
    parts = (
        itertools.repeat(()) if name in without else _values(column(name), hint, without)
        for name, hint in _hints(row_type)
    )
    return list(map(row_type, *parts))


@cache
def _hints(row_type: Any) -> tuple[tuple[str, Any], ...]:
    return tuple(get_type_hints(row_type).items())


def _values(column: pa.Array, hint: Any, without: Collection[str]) -> list[Any]:
    """What a column holds: scalars, records, or tuples of either."""
    if get_origin(hint) is types.UnionType:
        return column.to_pylist()
    if hint in SCALARS:
        return column.to_numpy(zero_copy_only=False).tolist()  # three times as fast where nothing is null
    if get_origin(hint) is not tuple:
        return _records(hint, column.field, without)
    inside = _values(column.flatten(), get_args(hint)[0], without)
    ends = list(itertools.accumulate(column.value_lengths().to_numpy().tolist(), initial=0))
    return [tuple(inside[begin:end]) for begin, end in itertools.pairwise(ends)]


def batches(file: pq.ParquetFile, names: Sequence[str] | None = None, size: int = 4096) -> Iterator[pa.RecordBatch]:
    """The columns of these names (all), a row group a call: with one call for all groups memory grows with the file."""
    for group in range(file.num_row_groups):
        yield from file.iter_batches(size, [group], names)


def rows(file: pq.ParquetFile, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """The values of these columns, a row at a time."""
    for batch in batches(file, names):
        yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)
