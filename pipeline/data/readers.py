"""Rows of one file: JSON lines, a JSON array, CSV, TSV or Parquet, plain or compressed, one row or one batch at a time.

What is broken as a file (not JSON, not UTF-8, not CSV, cut off) is a PipelineError that names the row. A row or value
of a sound file that nobody could use stands as `Unusable` in its place, for the reader of that column to drop.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core import columns
from pipeline.core.errors import PipelineError
from pipeline.data.values import Unusable, brief, from_literal, narrow_floats, not_finite

Row = dict[str, Any]
Rows = Iterator[tuple[int, Row | Unusable]]
KINDS = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
_LONGEST_CELL = 2**24  # characters of a CSV cell: more is a quote that nobody closed
_ESCAPED = re.compile("[\ud800-\udfff]")  # how Python keeps bytes that are no UTF-8
_LONGEST_FLOAT = 32  # characters
_FLOAT = re.compile(r"[-+]?\d+(?:\.\d+)?[eE][-+]?\d+|NaN|nan")  # how programs write what is no text
_DIGITS = 640  # Python may be set to refuse longer integers; these are kept as decimals, exact too


def kind(path: Path) -> str:
    """The kind of a file by its name, `.jsonl` for `a.jsonl.gz`; "" for none of KINDS."""
    packed = path.suffix.lower() in COMPRESSIONS
    suffix = (path.with_suffix("") if packed else path).suffix.lower()
    return suffix if suffix in KINDS and not (packed and suffix == ".parquet") else ""


def read(path: Path, wanted: Sequence[str]) -> Rows:
    """Rows of a file, numbered from 1 (JSON lines: the line's number).

    wanted: paths of columns that a table is read for (none: all).
    Raises PipelineError naming the file, and the row where there is one.
    """
    number = 0
    try:
        for number, row in _rows(path, wanted):
            yield number, row
    except (pa.ArrowException, OSError, ValueError) as error:
        raise PipelineError(
            f"{path}: cannot be read after row {number} ({brief(str(error), 120)}); fetch or save it again"
        ) from error


def _rows(path: Path, wanted: Sequence[str]) -> Rows:
    match kind(path):
        case ".jsonl":
            with _opened(path) as lines:
                yield from _json_rows(path, lines)
        case ".json":
            yield from _json_array(path)
        case ".csv":
            yield from _delimited(path, wanted, ",")
        case ".tsv":
            yield from _delimited(path, wanted, "\t")
        case ".parquet":
            yield from enumerate(_parquet(path, wanted), start=1)
        case _:
            raise PipelineError(
                f"{path}: unknown kind of file; give {', '.join(KINDS)} (texts also as {', '.join(COMPRESSIONS)})"
            )


# ---------------------------------------------------------------- JSON


def _object(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    if len(row) < len(pairs):
        for key, times in Counter(key for key, _ in pairs).items():
            if times > 1:
                row[key] = Unusable("duplicate_key", f"key {brief(key)!r} stands {times} times in one object")
    return row


_JSON = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=lambda digits: int(digits) if len(digits) < _DIGITS else Decimal(digits),
    parse_float=from_literal,
    parse_constant=lambda name: None if name == "NaN" else not_finite(name),
)


def _json_rows(path: Path, lines: Iterable[bytes]) -> Rows:
    for number, line in enumerate(lines, start=1):
        text = _decoded(path, number, line)
        if not text.strip():
            continue
        try:
            row = _JSON.decode(text)
        except json.JSONDecodeError as error:
            raise PipelineError(f"{path}: row {number}: not JSON ({error.msg}); one object a line") from error
        except RecursionError:
            row = Unusable("nested_too_deeply", "its values are nested too deeply")
        if not isinstance(row, dict | Unusable):
            raise PipelineError(f"{path}: row {number}: not a JSON object; one object a line")
        yield number, row


def _json_array(path: Path) -> Rows:
    """Objects of an array, which is held whole; a file without one is read as JSON lines."""
    with _opened(path) as file:
        data = file.read()
    if not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        yield from _json_rows(path, io.BytesIO(data))
        return
    text = _decoded(path, 1, data)
    try:
        rows = _JSON.decode(text)
    except json.JSONDecodeError as error:
        raise PipelineError(f"{path}: line {error.lineno}: not JSON ({error.msg}); save it again") from error
    except RecursionError as error:
        raise PipelineError(f"{path}: its values are nested too deeply; save it with one object a line") from error
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise PipelineError(f"{path}: row {number}: not a JSON object; give an array of objects")
        yield number, row


# ---------------------------------------------------------------- CSV


def _delimited(path: Path, wanted: Sequence[str], delimiter: str) -> Rows:
    """Rows of CSV or TSV, every cell the text that stands there, line ends inside quotes included.

    A cell that is NaN is none, and one in a float's notation is held to what a float is.
    """
    csv.field_size_limit(_LONGEST_CELL)
    number = 0
    with _opened(path) as file, io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="") as lines:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            header = next(filter(None, reader), [])
            places = {name: header.index(name) for name in tops(str(path), wanted, header)}
            for number, cells in enumerate(filter(None, reader), start=1):
                text = "".join(cells)
                if not text.isascii() and _ESCAPED.search(text):
                    raise PipelineError(f"{path}: line {reader.line_num}: not UTF-8; save it as UTF-8")
                if len(cells) == len(header):
                    yield number, {name: _cell(cells[place]) for name, place in places.items()}
                else:
                    yield number, Unusable("ragged_row", f"it has {len(cells)} cells, the header has {len(header)}")
        except csv.Error as error:
            line = f"row {number + 1} (line {reader.line_num})"
            raise PipelineError(f"{path}: {line}: not CSV ({error}); correct its quotes or line ends") from error


def _cell(text: str) -> str | Unusable | None:
    if len(text) > _LONGEST_FLOAT or not _FLOAT.fullmatch(text):
        return text
    number = None if text in ("NaN", "nan") else from_literal(text)
    return number if number is None or isinstance(number, Unusable) else text


# ---------------------------------------------------------------- Parquet


def _parquet(path: Path, wanted: Sequence[str]) -> Iterator[Row]:
    with pq.ParquetFile(path) as file:
        for batch in columns.batches(file, tops(str(path), wanted, file.schema_arrow.names)):
            yield from batch_rows(batch)


def batch_rows(batch: pa.RecordBatch | pa.Table) -> Iterator[Row]:
    """Rows of a batch as mappings."""
    parts = [narrow_floats(batch.column(place)) for place in range(batch.num_columns)]
    for values in zip(*parts, strict=True):
        yield dict(zip(batch.schema.names, values, strict=True))


# ---------------------------------------------------------------- what they share


def _opened(path: Path) -> BinaryIO:
    """The bytes of a file, decompressed by its name's ending. Raises PipelineError for UTF-16 and UTF-32."""
    file: Any = io.BufferedReader(pa.input_stream(str(path), compression=COMPRESSIONS.get(path.suffix.lower())))
    if file.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff"):
        file.close()
        raise PipelineError(f"{path}: UTF-16 or UTF-32 by its first bytes; save it as UTF-8")
    return file


def _decoded(path: Path, number: int, line: bytes) -> str:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PipelineError(f"{path}: row {number}: not UTF-8 (byte {error.start}); save it as UTF-8") from error


def tops(where: str, wanted: Sequence[str], names: Sequence[str]) -> list[str]:
    """The columns of a table that hold the wanted paths (none: all), each once.

    A path is the name of a column, or begins with one. Raises PipelineError for an absent or twofold column.
    """
    columns: dict[str, None] = {}
    for path in wanted or names:
        name = path if path in names else path.partition(".")[0]
        if name not in names:
            raise PipelineError(
                f"{where}: column {path!r} is missing; it has {brief(', '.join(names), 120) or 'none'}: correct its "
                "name in params.yaml, section `problems`"
            )
        if (times := list(names).count(name)) > 1:
            raise PipelineError(f"{where}: {times} columns are named {name!r}; rename all but one")
        columns[name] = None
    return list(columns)
