"""Problems from files: JSONL, Parquet or CSV with a column mapping, sampled by content, never by row order."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.errors import PipelineError
from pipeline.params import Source
from pipeline.records import Problem


def from_file(source: Source, role: str, split: str, seed: int, taken: set[str]) -> list[Problem]:
    """`source.rows` problems (0: all) of a file, chosen and ordered by a hash of their text.

    Prompts in `taken` are left out and the chosen ones are added to it, so that roles stay disjoint. Raises
    PipelineError naming file and row for an absent column, an empty prompt or a value that is not text.
    """
    path = Path(source.path)
    found = {problem.prompt: problem for problem in _problems(path, source, role, split)}
    ordered = sorted(found.values(), key=lambda problem: _hash(f"{seed}/{problem.prompt}"))
    fresh = [problem for problem in ordered if problem.prompt not in taken]
    if source.rows > len(fresh):
        raise PipelineError(f"{path}: role {role} needs {source.rows} problems, only {len(fresh)} are left; lower rows")
    chosen = fresh[: source.rows or None]
    taken.update(problem.prompt for problem in chosen)
    return sorted(chosen, key=lambda problem: problem.problem_id)


def _problems(path: Path, source: Source, role: str, split: str) -> Iterator[Problem]:
    for number, row in _rows(path):
        where = f"{path}: row {number}"
        prompt = _text(row, source.prompt, where)
        if not prompt.strip():
            raise PipelineError(f"{where}: column {source.prompt!r} is empty; every problem needs a text")
        solution = _text(row, source.solution, where) if source.solution else None
        answer = _answer(row, source, where)
        if source.format == "gsm8k" and solution is not None:
            solution = boxed_gsm8k(solution)
        yield Problem(f"{role}-{_hash(prompt)[:16]}", prompt, split, answer, solution)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows with their number, counted from 1."""
    if not path.is_file():
        raise PipelineError(f"{path}: no such file; correct the path in params.yaml, section `problems`")
    if path.suffix == ".jsonl":
        yield from _json_lines(path)
    elif path.suffix in (".parquet", ".csv"):
        try:
            frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
        except (pl.exceptions.ComputeError, pl.exceptions.NoDataError) as error:
            raise PipelineError(f"{path}: cannot be read ({' '.join(str(error).split())[:200]})") from error
        yield from enumerate(frame.iter_rows(named=True), start=1)
    else:
        raise PipelineError(f"{path}: unknown kind of file; give .jsonl, .parquet or .csv")


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
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


def _text(row: dict[str, Any], column: str, where: str) -> str:
    if column not in row:
        raise PipelineError(f"{where}: column {column!r} is missing; it has {', '.join(row)}")
    if not isinstance(row[column], str):
        raise PipelineError(f"{where}: column {column!r} must be text, is {row[column]!r}")
    return row[column]


def _answer(row: dict[str, Any], source: Source, where: str) -> str | None:
    if not source.answer:
        return None
    if source.format == "gsm8k":
        return _text(row, source.answer, where).rpartition("####")[2].strip()
    if source.answer not in row:
        raise PipelineError(f"{where}: column {source.answer!r} is missing; it has {', '.join(row)}")
    return str(row[source.answer])


def boxed_gsm8k(solution: str) -> str:
    """A GSM8K solution without its calculator marks, the answer after `####` as a boxed sentence."""
    text = re.sub(r"<<[^>]*>>", "", solution)
    body, _, answer = text.rpartition("####")
    return f"{body.rstrip()} The answer is \\boxed{{{answer.strip()}}}."


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
