"""Typed Parquet in and out: a frozen dataclass is the schema, writes are atomic and byte-stable."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import itertools
import json
import os
import types
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import PipelineError

Row = TypeVar("Row")
_ROW_GROUP = 8192
_SCALARS = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def schema(row_type: type) -> pa.Schema:
    """The Arrow schema of a record type: tuples are lists, nested records structs, `| None` nullable."""
    return pa.schema([_field(name, hint) for name, hint in get_type_hints(row_type).items()])


def _field(name: str, hint: Any) -> pa.Field:
    optional = get_origin(hint) is types.UnionType
    return pa.field(name, _arrow(get_args(hint)[0] if optional else hint), nullable=optional)


def _arrow(hint: Any) -> pa.DataType:
    if hint in _SCALARS:
        return _SCALARS[hint]
    if get_origin(hint) is tuple:
        return pa.list_(pa.field("item", _arrow(get_args(hint)[0]), nullable=False))
    return pa.struct([_field(name, part) for name, part in get_type_hints(hint).items()])


def write(path: Path, row_type: type[Row], rows: Iterable[Row]) -> None:
    """Write rows, in the order given, to `path` (Parquet, zstd, no time stamps): same rows, same bytes.

    One row group is held at a time, so rows may be a generator over more than fits into memory.
    """
    kind, coming = schema(row_type), iter(rows)
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(temporary, kind, compression="zstd", store_schema=False) as writer,
    ):
        while group := [plain(row) for row in itertools.islice(coming, _ROW_GROUP)]:
            writer.write_table(pa.Table.from_pylist(group, schema=kind), row_group_size=_ROW_GROUP)


def read(path: Path, row_type: type[Row]) -> list[Row]:
    """Rows of a Parquet file written for `row_type`; raises PipelineError as `batches` does."""
    return [row for batch in batches(path, row_type) for row in batch]


def batches(path: Path, row_type: type[Row], size: int = 4096) -> Iterator[list[Row]]:
    """Rows of a Parquet file written for `row_type`, at most `size` at a time.

    Raises PipelineError if the file is absent, unreadable, or a column is missing.
    """
    if not path.is_file():
        raise PipelineError(f"{path}: no such file; run `dvc repro` for the stage that makes it")
    wanted = schema(row_type).names
    try:
        with pq.ParquetFile(path) as file:
            for name in wanted:
                if name not in (names := file.schema_arrow.names):
                    raise PipelineError(f"{path}: column {name!r} is missing; it has {', '.join(names)}")
            for group in range(file.num_row_groups):  # all groups in one call: memory grows with the file
                for batch in file.iter_batches(size, [group], wanted):
                    yield [record(row_type, row) for row in batch.to_pylist()]
    except (pa.ArrowInvalid, OSError) as error:
        raise PipelineError(f"{path}: not a readable Parquet file ({error}); make it again") from error


def record(row_type: Any, value: dict[str, Any]) -> Any:
    """The record of a type from plain values (lists become tuples, mappings nested records).

    A field that a journal of an earlier version lacks takes its default.
    """
    return row_type(
        **{name: make(value[name]) if make else value[name] for name, make in _makers(row_type) if name in value}
    )


@cache
def _makers(row_type: Any) -> tuple[tuple[str, Callable[[Any], Any] | None], ...]:
    """For each field, what makes its value from a plain one; None for one that stays as it is."""
    return tuple((name, _maker(hint)) for name, hint in get_type_hints(row_type).items())


def _maker(hint: Any) -> Callable[[Any], Any] | None:
    if hint in _SCALARS or get_origin(hint) is types.UnionType:
        return None
    if get_origin(hint) is not tuple:
        return partial(record, hint)
    inner = get_args(hint)[0]
    return tuple if inner in _SCALARS else lambda items: tuple([record(inner, item) for item in items])


def plain(row: Any) -> Any:
    """A record as plain values: mappings, lists and scalars."""
    if isinstance(row, tuple):
        return [plain(part) for part in row] if row and dataclasses.is_dataclass(row[0]) else list(row)
    if dataclasses.is_dataclass(row):
        kind: Any = type(row)
        return {name: plain(getattr(row, name)) for name in _names(kind)}
    return row


@cache
def _names(row_type: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(row_type))


class replacing:
    """Context manager: gives a temporary path beside `path` and renames it into place if nothing was raised."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.temporary = path.with_name(f".{path.name}.{os.getpid()}")

    def __enter__(self) -> Path:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self.temporary

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            os.replace(self.temporary, self.path)
        else:
            self.temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` with sorted keys, floats rounded to six digits; NaN is refused (ValueError)."""
    with replacing(path) as temporary:
        text = json.dumps(rounded(value), indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows with the same keys as a table; floats as they are."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]) if rows else [], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def rounded(value: Any) -> Any:
    """The same JSON value with floats rounded to six digits."""
    match value:
        case float():
            return round(value, 6)
        case dict():
            return {key: rounded(part) for key, part in value.items()}
        case list() | tuple():
            return [rounded(part) for part in value]
    return value


def read_json(path: Path) -> Any:
    """The value in a JSON file; PipelineError if it is absent or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PipelineError(f"{path}: no such file; run `dvc repro` for the stage that makes it") from error
    except json.JSONDecodeError as error:
        raise PipelineError(f"{path}: line {error.lineno}: not JSON ({error.msg})") from error


def require_weights(model: Path) -> None:
    """Refuse a model folder without safetensors (PipelineError)."""
    if not list(model.glob("*.safetensors")):
        raise PipelineError(f"{model}: no weights (*.safetensors) in this model folder; run the stage that trains it")


def content(rows: Iterable[Any]) -> str:
    """A short hash of records that changes with any of their values, but not with their order or the file's layout."""
    lines = sorted(json.dumps(plain(row), sort_keys=True) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def quantiles(values: Iterable[float]) -> dict[str, float]:
    """Least, lower quarter, middle, upper quarter and greatest of the values; empty without any."""
    order = sorted(values)
    parts = {"min": 0, "p25": 25, "median": 50, "p75": 75, "max": 100}
    return {name: order[(len(order) - 1) * part // 100] for name, part in parts.items() if order}


def counts(values: Sequence[str]) -> dict[str, int]:
    """How often each value occurs, for the statistics beside a data set."""
    return dict(sorted(Counter(values).items()))
