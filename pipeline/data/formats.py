"""How published data sets say their problem, answer and solution: one function a format.

`plain`: the columns as they are. `gsm8k`: calculator marks in the solution, the answer after `####`. `boxed`: the
answer stands in the last box of the solution (MATH). `gaokao`: an empty answer stands at the question's end.
`olympiadbench`: a list of answers with a unit and a tolerance.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.data.settings import Source
from pipeline.domains.math.boxes import boxed
from pipeline.domains.math.compare import gold_text
from pipeline.domains.math.extract import extract_answer

Row = Mapping[str, Any]


def columns(source: Source) -> list[str]:
    """The columns that a source's format reads."""
    more = ["unit", "error"] if source.format == "olympiadbench" else []
    return [name for name in (source.prompt, source.answer, source.solution, *more) if name]


def prompt(row: Row, source: Source, where: str) -> str:
    """The problem's text. Raises PipelineError where its column is missing, not text, or empty."""
    text = _text(row, source.prompt, where)
    if not text.strip():
        raise PipelineError(f"{where}: column {source.prompt!r} is empty; every problem needs a text")
    return text


def solution(row: Row, source: Source, where: str) -> str | None:
    """The solution's text, or None if the source names no column for it."""
    if not source.solution:
        return None
    text = _text(row, source.solution, where)
    return _boxed_gsm8k(text) if source.format == "gsm8k" else text


def answer(row: Row, source: Source, where: str) -> str | None:
    """The gold answer, or None if the source names no column for it.

    Raises PipelineError for an unknown format, a missing column, or a row without an answer.
    """
    if source.format not in _ANSWERS:
        raise PipelineError(f"{source.path}: unknown format {source.format!r}; one of {', '.join(FORMATS)}")
    if not source.answer:
        return None
    found = _ANSWERS[source.format](row, source, where)
    if not found:
        raise PipelineError(f"{where}: no answer in column {source.answer!r} (format {source.format}); mend the row")
    return found


def _plain(row: Row, source: Source, where: str) -> str | None:
    value = _column(row, source.answer, where)
    return None if value is None else str(value)


def _gsm8k(row: Row, source: Source, where: str) -> str | None:
    return _text(row, source.answer, where).rpartition("####")[2].strip()


def _boxed(row: Row, source: Source, where: str) -> str | None:
    return boxed(_text(row, source.answer, where))


def _gaokao(row: Row, source: Source, where: str) -> str | None:
    return _text(row, source.answer, where) or extract_answer(prompt(row, source, where), fallback=False)


def _olympiadbench(row: Row, source: Source, where: str) -> str | None:
    given = _column(row, source.answer, where)
    try:
        listed = ast.literal_eval(given) if isinstance(given, str) else given
        return gold_text([str(part) for part in listed], row.get("unit"), row.get("error"))
    except (ValueError, SyntaxError, TypeError) as error:
        raise PipelineError(f"{where}: column {source.answer!r} must be a list of answers, is {given!r}") from error


_ANSWERS: dict[str, Callable[[Row, Source, str], str | None]] = {
    "plain": _plain,
    "gsm8k": _gsm8k,
    "boxed": _boxed,
    "gaokao": _gaokao,
    "olympiadbench": _olympiadbench,
}
FORMATS = (*_ANSWERS, "prm800k")


def _boxed_gsm8k(text: str) -> str:
    """A GSM8K solution without its calculator marks, the answer after `####` as a boxed sentence."""
    body, _, value = re.sub(r"<<[^>]*>>", "", text).rpartition("####")
    return f"{body.rstrip()} The answer is \\boxed{{{value.strip()}}}."


def _column(row: Row, name: str, where: str) -> Any:
    if name not in row:
        raise PipelineError(
            f"{where}: column {name!r} is missing; it has {', '.join(row)}: correct its name in params.yaml, section "
            "`problems`"
        )
    return row[name]


def _text(row: Row, name: str, where: str) -> str:
    value = _column(row, name, where)
    if not isinstance(value, str):
        raise PipelineError(f"{where}: column {name!r} must be text, is {value!r}; mend the row")
    return value
