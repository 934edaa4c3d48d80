"""The rows of all stages: their types, the problems that they belong to, and none of the evaluation in training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.cli.show import KINDS
from pipeline.core import columns, files
from pipeline.data import table_faults
from pipeline.data.decontaminate import normal

MEASURED = ("evaluate", "reference", "scale", "judge_eval", "prm_eval")  # stages that train on nothing
_OWNER = ["problem_id", "prompt"]
Keys = Mapping[str, int]  # problem -> hash of its prompt


def tables(stage: Any) -> Iterator[Path]:
    """The Parquet files of a stage's outputs that are there."""
    for out in stage.get("outs", ()):
        path = Path(out["path"])
        yield from sorted(path.rglob("*.parquet")) if path.is_dir() else [path] if path.suffix == ".parquet" else []


def faults(path: Path, more: list[Any], sound: set[Path]) -> Iterator[str]:
    """What is wrong with a file as a table of the pipeline, which is read once; into `sound` where all can be read.

    more: record types of extensions.
    """
    try:
        schema = pq.read_schema(path)
        kind = next((kind for kind in (*KINDS, *more) if files.schema(kind).names == schema.names), None)
        if kind is None:
            yield f"{path}: columns {', '.join(schema.names)} are no record of this version"
            return
        for field, wanted in zip(schema, files.schema(kind), strict=True):
            if not field.equals(wanted):
                yield f"{path}: column {field.name!r} is {field.type}, a {kind.__name__} has {wanted.type}"
                return
        yield from table_faults.faults(path, str(path))
        sound.add(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        yield f"{path}: is no readable Parquet file ({' '.join(str(error).split())[:200]})"


def owners(path: Path) -> Iterator[tuple[str, str]]:
    """Problem and prompt of every row; nothing of a table that has no such columns."""
    with pq.ParquetFile(path) as file:
        if set(_OWNER) <= set(file.schema_arrow.names):
            yield from columns.rows(file, _OWNER)


def keys(paths: Iterator[Path]) -> Keys:
    """The problems of some tables, each with the hash of its prompt."""
    return {problem: hash(prompt) for path in paths for problem, prompt in owners(path)}


def strangers(path: Path, known: Keys) -> Iterator[str]:
    """Rows whose problem is none of those that the stage had, or has another prompt there."""
    prompts = set(known.values())
    for number, (problem, prompt) in enumerate(owners(path)):
        where = f"{path}: row {number} ({problem})"
        if problem in known and known[problem] != hash(prompt):
            yield f"{where}: its prompt is not that of this problem in the stage's inputs"
        elif problem not in known and hash(prompt) not in prompts:
            yield f"{where}: its problem is none of the stage's inputs"


class Held:
    """The evaluation's problems, which no training row may have: neither an id nor a text of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        rows = list(owners(path))
        self._ids = {problem for problem, _ in rows}
        self._texts = {normal(prompt): problem for problem, prompt in rows}

    def faults(self, path: Path) -> Iterator[str]:
        """Rows of a training table that are of the evaluation."""
        for number, (problem, prompt) in enumerate(owners(path)):
            where = f"{path}: row {number} ({problem})"
            if problem in self._ids:
                yield f"{where}: is a problem of {self.path}; training must not see it"
            elif twin := self._texts.get(normal(prompt)):
                yield f"{where}: has the text of {twin} in {self.path}; training must not see it"
