"""Golds of rows: exact as the file says them, from columns and from fields inside columns, or dropped."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.records import Problem, UnusableRow
from pipeline.data.problems import held_out
from pipeline.data.settings import Source

DIGITS = "7" * 5000


def read(path: Path, **columns: str) -> tuple[list[Problem], list[UnusableRow]]:
    unusable: list[UnusableRow] = []
    source = Source(path=str(path), rows=0, **{"prompt": "q", "answer": "a", **columns})
    return held_out(source, "math", 1, unusable), unusable


def lines(folder: Path, *values: str) -> Path:
    """JSON lines whose values of `a` are written literally; a good row goes before them."""
    path = folder / "a.jsonl"
    path.write_text("".join(f'{{"q": "p{n}", "a": {value}}}\n' for n, value in enumerate(('"good"', *values))))
    return path


def parquet(folder: Path, values: pa.Array) -> Path:
    path = folder / "a.parquet"
    pq.write_table(pa.table({"q": pa.array([f"p{n}" for n in range(len(values))]), "a": values}), path)
    return path


@pytest.mark.parametrize(
    ("literal", "gold"),
    [
        ("10000000000000000", "10000000000000000"),
        ("576460752303423488", "576460752303423488"),
        (DIGITS, DIGITS),
        ("-" + DIGITS, "-" + DIGITS),
        ("1.0", "1"),
        ("-0.0", "0"),
        ("0.10", "0.1"),
        ("1e2", "100"),
        ("1.5E3", "1500"),
        ("1e-7", "0.0000001"),
        ("0.1234567890123456789", "0.1234567890123456789"),
        ("9007199254740991.0", "9007199254740991"),
        ('"1e16"', "1e16"),
        ('" 007 "', " 007 "),
        ('"nan"', "nan"),
        ('"\\\\frac12"', "\\frac12"),
    ],
)
def test_a_gold_in_json_is_what_the_file_says(literal: str, gold: str, tmp_path: Path) -> None:
    problems, unusable = read(lines(tmp_path, literal))
    assert [problem.answer for problem in problems] == ["good", gold] and not unusable


@pytest.mark.parametrize(
    ("literal", "reason"),
    [
        ("1e16", "inexact_number"),
        ("5.764607523034235e+17", "inexact_number"),
        ("-9007199254740992.0", "inexact_number"),
        ("1e400", "inexact_number"),
        ("1e-400", "inexact_number"),
        ("-1e-999999999999999999999", "inexact_number"),
        ("Infinity", "not_finite"),
        ("-Infinity", "not_finite"),
        ("NaN", "no_answer"),
        ("null", "no_answer"),
        ('""', "no_answer"),
        ('" \\t"', "no_answer"),
        ("true", "answer_not_text"),
        ("false", "answer_not_text"),
        ("[]", "answer_not_text"),
        ('["200"]', "answer_not_text"),
        ('{"ground_truth": "200", "style": "rule"}', "answer_not_text"),
        ('[{"role": "assistant", "content": "2"}]', "answer_not_text"),
    ],
)
def test_a_gold_that_is_no_exact_text_or_number_is_dropped(literal: str, reason: str, tmp_path: Path) -> None:
    problems, unusable = read(lines(tmp_path, literal))
    assert [problem.answer for problem in problems] == ["good"]
    assert [(row.place.rpartition(": ")[2], row.reason) for row in unusable] == [("row 2", reason)]


@pytest.mark.parametrize(
    ("values", "golds", "reasons"),
    [
        (pa.array([0.1, 12.0, None, np.nan, 1e-7, -0.0]), ["0.1", "12", "0.0000001", "0"], ["no_answer"] * 2),
        (pa.array([1.0, 2.0**53, 1e16, np.inf]), ["1"], ["inexact_number"] * 2 + ["not_finite"]),
        (pa.array([0.1, 2.0**24, 3.5, None], pa.float32()), ["0.1", "3.5"], ["inexact_number", "no_answer"]),
        (pa.array(np.array([0.1, 4096.0, 7.0], np.float16)), ["0.1", "7"], ["inexact_number"]),
        (pa.array([576460752303423488, None]), ["576460752303423488"], ["no_answer"]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"], []),
        (pa.array([Decimal("576460752303423488.50"), Decimal("1")]), ["576460752303423488.5", "1"], []),
        (pa.array(["x", "y"]).dictionary_encode(), ["x", "y"], []),
        (pa.array(["x"], pa.large_string()), ["x"], []),
        (pa.array([True, None]), [], ["answer_not_text", "no_answer"]),
        (pa.array([b"x"]), [], ["answer_not_text"]),
        (pa.array([["x"], []]), [], ["answer_not_text"] * 2),
        (pa.array([{"g": "x"}, None]), [], ["answer_not_text", "no_answer"]),
        (pa.array([0], pa.date32()), [], ["answer_not_text"]),
        (pa.array([0], pa.timestamp("ns")), [], ["answer_not_text"]),
        (pa.nulls(1), [], ["no_answer"]),
    ],
)
def test_a_gold_in_a_table_is_exact_or_dropped(
    values: pa.Array, golds: list[str], reasons: list[str], tmp_path: Path
) -> None:
    path = parquet(tmp_path, values)
    if golds:
        problems, unusable = read(path)
        assert ([problem.answer for problem in problems], [row.reason for row in unusable]) == (golds, reasons)
    else:
        with pytest.raises(PipelineError, match=f"none of {len(values)} rows .*{min(reasons)}"):
            read(path)


ROW: dict[str, Any] = {"q": "x", "reward_model": {"ground_truth": "200", "style": "rule", "size": 0.5, "none": None}}


@pytest.mark.parametrize(
    ("path", "gold"),
    [
        ("reward_model.ground_truth", "200"),
        ("reward_model.size", "0.5"),
        ("a.b", "dotted"),
        ("deep.er.est", "3"),
        ("reward_model.none", "no_answer"),
        ("null.ground_truth", "no_answer"),
        ("list.ground_truth", "no_such_field"),
        ("q.ground_truth", "no_such_field"),
        ("reward_model", "answer_not_text"),
    ],
)
@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_column_inside_a_column_is_read_by_its_path(path: str, gold: str, kind: str, tmp_path: Path) -> None:
    row = ROW | {"a.b": "dotted", "deep": {"er": {"est": 3}}, "null": None, "list": ["x"]}
    file = tmp_path / f"a.{kind}"
    if kind == "jsonl":
        file.write_text(json.dumps(row) + "\n")
    else:
        pq.write_table(pa.Table.from_pylist([row]), file)
    if "_" in gold:
        with pytest.raises(PipelineError, match=gold):
            read(file, answer=path)
    else:
        assert [problem.answer for problem in read(file, answer=path)[0]] == [gold]


@pytest.mark.parametrize("path", ["reward_model.gold", "reward.ground_truth", "reward_model.ground_truth.x"])
def test_a_path_that_leads_nowhere_is_one_line_with_what_is_there(path: str, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps(ROW) + "\n")
    with pytest.raises(PipelineError, match=f"column '{path}' is missing in every row|no field 'x', is '200'"):
        read(file, answer=path)
