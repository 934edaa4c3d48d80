"""Rows of problem files, one at a time: local JSONL, Parquet or CSV, or a dataset of the Hugging Face Hub, streamed.

Memory stays that of one batch, however long the source is. `known.yaml` is the table of published data sets that a
source can name instead of saying where they lie and how their columns are called.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import yaml

from pipeline.core.errors import PipelineError
from pipeline.data.settings import Source

HUB = "hub:"
KNOWN = "known:"
TABLE = Path(__file__).parent / "known.yaml"
Rows = Iterator[tuple[int, dict[str, Any]]]


def known(source: Source) -> Source:
    """A source `known:<name>` with the entries of its row in known.yaml; what params.yaml says of it wins.

    Raises PipelineError for a name that is not in the table.
    """
    if not source.path.startswith(KNOWN):
        return source
    table = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    name = source.path.removeprefix(KNOWN)
    if name not in table:
        raise PipelineError(f"{source.path}: unknown data set; known are {', '.join(table)}")
    return Source(**(table[name] | source.model_dump(exclude_unset=True, exclude={"path"})))


def rows(source: Source, columns: Sequence[str]) -> Rows:
    """Rows of a source as mappings, each with its number counted from 1 (for JSONL: the line's number).

    columns: those that a table is read for.
    Raises PipelineError naming file or dataset, and the row where there is one.
    """
    source = known(source)
    if source.path.startswith(HUB):
        return _from_hub(source)
    path = Path(source.path)
    if not path.is_file():
        raise PipelineError(f"{path}: no such file; correct the path in params.yaml, section `problems`")
    match path.suffix:
        case ".jsonl":
            return _json_lines(path)
        case ".parquet" | ".csv":
            return _table(path, list(columns))
    raise PipelineError(
        f"{path}: unknown kind of file; give .jsonl, .parquet, .csv, `{HUB}<dataset id>` or `{KNOWN}<name>`"
    )


def _json_lines(path: Path) -> Rows:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8"))
            except UnicodeDecodeError as error:
                raise PipelineError(
                    f"{path}: row {number}: not UTF-8 (byte {error.start}); save it as UTF-8"
                ) from error
            except json.JSONDecodeError as error:
                raise PipelineError(f"{path}: row {number}: not JSON ({error.msg}); one object a line") from error
            if not isinstance(row, dict):
                raise PipelineError(f"{path}: row {number}: not a JSON object; one object a line")
            yield number, row


def _table(path: Path, wanted: list[str]) -> Rows:
    """Rows of Parquet or CSV, only the wanted columns, read batch by batch."""
    number = 0
    try:
        for batch in _batches(path, wanted):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except (pa.ArrowInvalid, OSError) as error:
        if path.suffix == ".csv" and (line := _first_not_utf8(path)) is not None:
            raise PipelineError(f"{path}: line {line}: not UTF-8; save it as UTF-8") from error
        reason = " ".join(str(error).split())[:200]
        raise PipelineError(f"{path}: cannot be read after row {number} ({reason}); fetch or save it again") from error


def _first_not_utf8(path: Path) -> int | None:
    """The number of the first line that is not UTF-8, or None."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return None


def _batches(path: Path, wanted: list[str]) -> Iterator[pa.RecordBatch]:
    if path.suffix == ".csv":
        parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
        with path.open("rb") as file:
            names = pyarrow.csv.open_csv(file, parse_options=parse).schema.names
        _require(path, wanted, names)
        as_text = pyarrow.csv.ConvertOptions(include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()))
        yield from pyarrow.csv.open_csv(path, parse_options=parse, convert_options=as_text)
        return
    with pq.ParquetFile(path) as file:
        _require(path, wanted, file.schema_arrow.names)
        for group in range(file.num_row_groups):  # all groups in one call: memory grows with the file
            yield from file.iter_batches(batch_size=4096, columns=wanted, row_groups=[group])


def _require(path: Path, wanted: list[str], names: list[str]) -> None:
    for name in wanted:
        if name not in names:
            raise PipelineError(
                f"{path}: column {name!r} is missing; it has {', '.join(names)}: correct its name in params.yaml, "
                "section `problems`"
            )


def _from_hub(source: Source) -> Rows:
    import datasets
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # exported when it runs

    name = source.path.removeprefix(HUB)
    where = " ".join(filter(None, [name, source.config, source.split, source.revision]))
    try:
        found = datasets.load_dataset(
            name, source.config or None, split=source.split, revision=source.revision or None, streaming=True
        )
        yield from enumerate(found, start=1)
    except (datasets.exceptions.DatasetsError, httpx.HTTPError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise PipelineError(
            f"{source.path}: dataset {where!r} cannot be read from the Hub ({reason}); "
            "correct path, config, split or revision in params.yaml, section `problems`"
        ) from error
