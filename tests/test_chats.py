"""Chats as problems and solutions, rows without a solution, and golds in each format's own writing."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.records import Problem, UnusableRow
from pipeline.data.problems import held_out
from pipeline.data.settings import Source


def read(path: Path, **columns: str) -> tuple[list[Problem], list[UnusableRow]]:
    unusable: list[UnusableRow] = []
    source = Source(path=str(path), rows=0, **{"prompt": "q", "answer": "a", **columns})
    return held_out(source, "math", 1, unusable), unusable


USER, SYSTEM = {"role": "user", "content": "How many?"}, {"role": "system", "content": "Think."}
REPLY = {"role": "assistant", "content": "It is \\boxed{7}."}


@pytest.mark.parametrize(
    ("chat", "expected"),
    [
        ([USER], "How many?"),
        ([SYSTEM, USER], "How many?"),
        ([USER, REPLY], "How many?"),
        ([SYSTEM, USER, REPLY], "How many?"),
        ([USER, REPLY, USER], "prompt_not_one_turn"),
        ([SYSTEM], "prompt_not_one_turn"),
        ([{"role": "user", "content": None}], "no_prompt"),
        ([{"role": "user"}], "no_prompt"),
        ([{"role": "user", "content": "\ud835"}], "not_unicode"),
        ([{"role": "user", "content": [{"type": "text", "text": "x"}]}], "prompt_not_text"),
        ([{"from": "human", "value": "x"}], "prompt_not_text"),
        ([], "prompt_not_text"),
        (["x" * 34_000], "prompt_not_text"),
        (USER, "prompt_not_text"),
    ],
)
def test_the_users_turn_of_a_chat_is_the_problem(chat: object, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"q": "good", "a": 1}) + "\n" + json.dumps({"q": chat, "a": 1}) + "\n")
    problems, unusable = read(path)
    assert [*(p.prompt for p in problems), *(row.reason for row in unusable)] == ["good", expected]


def test_the_assistants_turn_of_a_chat_is_the_solution_also_in_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"messages": [[SYSTEM, USER, REPLY], [USER]]}), path)
    problems, unusable = read(path, prompt="messages", answer="messages", solution="messages", format="boxed")
    assert [(p.prompt, p.answer, p.solution) for p in problems] == [("How many?", "7", REPLY["content"])]
    assert [row.reason for row in unusable] == ["answer_not_one_turn"]


@pytest.mark.parametrize(
    ("solution", "expected"),
    [
        ('"It is 1."', "It is 1."),
        ("null", None),
        ("NaN", None),
        ('""', None),
        ('" "', None),
        ("1", "solution_not_text"),
    ],
)
def test_a_row_without_a_solution_stays_a_problem(solution: str, expected: str | None, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"q": "x", "a": 1, "s": "good"}}\n{{"q": "y", "a": 1, "s": {solution}}}\n{{"q": "z", "a": 1}}\n')
    problems, unusable = read(path, solution="s")
    kept = [problem.solution for problem in problems]
    assert kept == ["good", None] if unusable else ["good", expected, None]
    assert [row.reason for row in unusable] == ([expected] if unusable else [])


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        ("gsm8k", "no mark", "no_answer"),
        ("gsm8k", "1 + 1 = 2\n#### 2", "2"),
        ("boxed", "no box", "no_answer"),
        ("boxed", 7, "answer_not_text"),
        ("olympiadbench", "'12'", "answer_not_list"),
        ("olympiadbench", "{'12': 3}", "answer_not_list"),
        ("olympiadbench", "[" * 3000, "answer_not_list"),
        ("olympiadbench", 12, "answer_not_list"),
        ("olympiadbench", [], "no_answer"),
        ("olympiadbench", None, "no_answer"),
        ("olympiadbench", [True], "answer_not_text"),
        ("olympiadbench", "[1e16]", "inexact_number"),
        ("olympiadbench", [1.50, "$x$"], "1.5, $x$"),
        ("olympiadbench", "['7', '8']", "7, 8"),
    ],
)
def test_a_format_reads_its_gold_or_drops_the_row(form: str, value: object, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"q": "x", "a": value}) + "\n")
    if "_" in expected:
        with pytest.raises(PipelineError, match=expected):
            read(path, format=form)
    else:
        assert [problem.answer for problem in read(path, format=form)[0]] == [expected]
