"""Arrow columns as records, a column at a time: many times as fast as a row at a time where records are nested."""

from __future__ import annotations

import itertools
import types
from collections.abc import Iterable
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

import pyarrow as pa

SCALARS = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def records(row_type: Any, columns: Iterable[pa.Array]) -> list[Any]:
    """The records of a type whose fields are these columns, in their order."""
    hints = _hints(row_type)
    return list(map(row_type, *(_values(column, hint) for column, hint in zip(columns, hints, strict=True))))


@cache
def _hints(row_type: Any) -> tuple[Any, ...]:
    return tuple(get_type_hints(row_type).values())


def _values(column: pa.Array, hint: Any) -> list[Any]:
    """What a column holds: scalars, records, or tuples of either."""
    if get_origin(hint) is types.UnionType:
        return column.to_pylist()
    if hint in SCALARS:
        return column.to_numpy(zero_copy_only=False).tolist()  # three times as fast where nothing is null
    if get_origin(hint) is not tuple:
        return records(hint, (column.field(index) for index in range(column.type.num_fields)))
    inside = _values(column.flatten(), get_args(hint)[0])
    ends = list(itertools.accumulate(column.value_lengths().to_numpy().tolist(), initial=0))
    return [tuple(inside[begin:end]) for begin, end in itertools.pairwise(ends)]
