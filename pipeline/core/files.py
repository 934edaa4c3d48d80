"""Typed Parquet in and out: a frozen dataclass is the schema, writes are atomic and byte-stable."""

from __future__ import annotations

import bisect
import dataclasses
import hashlib
import itertools
import json
import os
import types
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from pipeline.core import columns
from pipeline.core.errors import PipelineError

Row = TypeVar("Row")
_ROW_GROUP = 8192


def schema(row_type: type) -> pa.Schema:
    """The Arrow schema of a record type: tuples are lists, nested records structs, `| None` nullable."""
    return pa.schema([_field(name, hint) for name, hint in get_type_hints(row_type).items()])


def _field(name: str, hint: Any) -> pa.Field:
    optional = get_origin(hint) is types.UnionType
    return pa.field(name, _arrow(get_args(hint)[0] if optional else hint), nullable=optional)


def _arrow(hint: Any) -> pa.DataType:
    if hint in columns.SCALARS:
        return columns.SCALARS[hint]
    if get_origin(hint) is tuple:
        return pa.list_(pa.field("item", _arrow(get_args(hint)[0]), nullable=False))
    return pa.struct([_field(name, part) for name, part in get_type_hints(hint).items()])


def write(path: Path, row_type: type[Row], rows: Iterable[Row]) -> None:
    """Write rows, in the order given, to `path` (Parquet, zstd, no time stamps): same rows, same bytes.

    One row group is held at a time, so rows may be a generator over more than fits into memory.
    """
    with writing(path, row_type) as writer:
        for row in rows:
            writer.add(row)


@contextmanager
def writing(path: Path, row_type: type[Row]) -> Iterator[Writer[Row]]:
    """`write`, row by row, where rows of several files come mixed: the file is there once the block ended well."""
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(temporary, schema(row_type), compression="zstd", store_schema=False) as file,
    ):
        writer = Writer[Row](file)
        yield writer
        writer.flush()


class Writer(Generic[Row]):
    """The rows of a file that is being written; those of one row group wait in memory."""

    def __init__(self, file: pq.ParquetWriter) -> None:
        self.count, self._file = 0, file
        self._waiting: list[Row] = []

    def add(self, row: Row) -> None:
        """One more row, the last so far."""
        self._waiting.append(row)
        self.count += 1
        if len(self._waiting) == _ROW_GROUP:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait."""
        if rows := self._waiting:
            fields = self._file.schema
            arrays = [_column(list(map(attrgetter(field.name), rows)), field.type) for field in fields]
            self._file.write_table(pa.Table.from_arrays(arrays, schema=fields), row_group_size=_ROW_GROUP)
            rows.clear()


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    nested = pa.types.is_struct(kind.value_type if pa.types.is_list(kind) else kind)
    return pa.array([plain(value) for value in values] if nested else values, type=kind)


def read(path: Path, row_type: type[Row]) -> list[Row]:
    """Rows of a Parquet file written for `row_type`; raises PipelineError as `rows` does."""
    return list(rows(path, row_type))


def rows(path: Path, row_type: type[Row], size: int = 4096, *without: str) -> Iterator[Row]:
    """Rows of a Parquet file written for `row_type`, one after another; at most `size` are held at a time.

    without: lists somewhere in the rows that are not read, such as `verdicts`; they are empty, and reading is faster.
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
            leaves = [c.path for c in file.schema if (p := c.path.split("."))[0] in wanted and not {*without} & {*p}]
            for batch in columns.batches(file, leaves, size):
                yield from columns.records(row_type, batch.column, without)
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        raise PipelineError(f"{path}: not a readable Parquet file ({error}); make it again") from error


def record(row_type: Any, value: dict[str, Any]) -> Any:
    """The record of a type from plain values (lists become tuples, mappings nested records).

    Raises PipelineError if a value is of another type.
    """
    try:
        return _adapter(row_type).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise PipelineError(f"no {row_type.__name__}: {place}: {first['msg']}, is {first['input']!r:.80}") from error


@cache
def _adapter(row_type: Any) -> TypeAdapter[Any]:
    return TypeAdapter(row_type)


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


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path` and renames it into place if nothing was raised."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write `value` with sorted keys, floats rounded to six digits; NaN is refused (ValueError)."""
    with replacing(path) as temporary:
        text = json.dumps(rounded(value), indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


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


@cache
def _values(row_type: Any) -> Callable[[Any], tuple[Any, ...]]:
    """Gives all values of a record."""
    names = _names(row_type)
    return attrgetter(*names) if len(names) > 1 else lambda row: (getattr(row, names[0]),)


class Content:
    """A short hash of records that changes with any of their values, but not with their order or the file's layout:
    the sum of the rows' own hashes, so that none is held."""

    def __init__(self) -> None:
        self._sum, self._line = 0, json.JSONEncoder(default=plain).encode

    def add(self, row: Any) -> None:
        """One more record."""
        kind: Any = type(row)
        line = self._line(_values(kind)(row))
        self._sum += int.from_bytes(hashlib.sha256(line.encode()).digest())

    def digest(self) -> str:
        """The hash of what was added so far."""
        return f"{self._sum % 2**256:064x}"[:16]


def content(rows: Iterable[Any]) -> str:
    """The hash of all of these records, see `Content`."""
    whole = Content()
    for row in rows:
        whole.add(row)
    return whole.digest()


def quantiles(values: Iterable[float]) -> dict[str, float]:
    """Least, lower quarter, middle, upper quarter and greatest of the values; empty without any."""
    often = sorted(Counter(values).items())  # values of a large data set repeat, so their counts are few
    upto = list(itertools.accumulate(count for _, count in often))
    parts = {"min": 0, "p25": 25, "median": 50, "p75": 75, "max": 100} if upto else {}
    return {name: often[bisect.bisect_right(upto, (upto[-1] - 1) * part // 100)][0] for name, part in parts.items()}


def counts(values: Iterable[str]) -> dict[str, int]:
    """How often each value occurs, for the statistics beside a data set."""
    return dict(sorted(Counter(values).items()))
