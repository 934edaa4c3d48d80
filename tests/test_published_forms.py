"""Rows of non-mathematical sets as they are published, read by the names of columns alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.records import Grade, Problem, UnusableRow
from pipeline.data.problems import held_out
from pipeline.data.settings import Source
from pipeline.data.sources import known
from pipeline.domains.graders import exact as grading
from pipeline.domains.graders.pool import Graders

ARC = [
    {
        "id": "Mercury_7175875",
        "question": "An astronomer sees a planet spin faster after a meteorite hits it. What follows?",
        "choices": {"text": ["Density falls.", "Years grow longer.", "Days grow shorter."], "label": ["A", "B", "C"]},
        "answerKey": "C",
    },
    {
        "id": "NYSEDREGENTS_2013_4_16",
        "question": "Which is a liquid at room temperature?",
        "choices": {"text": ["iron", "water"], "label": ["1", "2"]},
        "answerKey": "2",
    },
]
PROOFWRITER = {
    "id": "RelNoneg-OWA-D2-1", "maxD": 2, "NFact": 2, "NRule": 1,
    "theory": "The cat is big. If something is big then it is kind.",
    "question": "The cat is kind.", "answer": "True", "QDep": 1, "QLen": 2.0, "allProofs": "...", "config": "depth-2",
}  # fmt: skip
MMLU = {"question": "Two and two?", "subject": "counting", "choices": ["three", "four"], "answer": 1}


def read(folder: Path, rows: list[dict[str, Any]], path: str, **keys: str) -> tuple[list[Problem], list[UnusableRow]]:
    """The problems of rows in a file, read as the source `path` says."""
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = known(Source(path=path, **keys)) if path else Source(path=str(file), **keys)
    unusable: list[UnusableRow] = []
    return held_out(source.model_copy(update={"path": str(file)}), "split", 1, unusable), unusable


def grades(problems: list[Problem], answers: list[str | None]) -> list[Grade]:
    with Graders(grading) as graders:
        return graders.grade(problems, answers)


def test_arc_shows_its_options_and_takes_letter_or_text(tmp_path: Path) -> None:
    problems, unusable = read(tmp_path, ARC, "known:arc-challenge")
    assert not unusable
    assert problems[1].prompt == "Which is a liquid at room temperature?\n1. iron\n2. water"
    assert [problem.answer for problem in problems] == ["C. Days grow shorter.", "2. water"]
    assert grades(problems, ["(C)", "water"]) == grades(problems, ["Days grow shorter", "2"]) == [Grade.RIGHT] * 2
    assert grades(problems, ["B", "iron"]) == [Grade.WRONG] * 2


def test_proofwriter_asks_about_its_theory_and_takes_the_word(tmp_path: Path) -> None:
    (problem,), unusable = read(tmp_path, [PROOFWRITER], "known:proofwriter")
    assert not unusable
    assert problem.prompt == f"{PROOFWRITER['theory']}\n\nTrue, False or Unknown? The cat is kind."
    assert grades([problem] * 3, ["true.", "Unknown", None]) == [Grade.RIGHT, Grade.WRONG, Grade.UNREADABLE]


@pytest.mark.parametrize(
    ("row", "answer"),
    [
        (MMLU, "B. four"),
        (MMLU | {"answer": "B"}, "B. four"),
        (MMLU | {"answer": "four"}, "B. four"),
        (MMLU | {"choices": {"x": "three", "y": "four"}, "answer": "y"}, "y. four"),
    ],
)
def test_options_are_a_list_or_an_object_and_the_gold_a_place_a_label_or_a_text(
    tmp_path: Path, row: dict[str, Any], answer: str
) -> None:
    columns = {"prompt": "question", "choices": "choices", "answer": "answer", "grader": "choice"}
    (problem,), _ = read(tmp_path, [row], "", **columns)
    assert problem.answer == answer


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (MMLU | {"answer": 2}, "no_such_choice"),
        (MMLU | {"answer": "five"}, "no_such_choice"),
        (MMLU | {"choices": ["four"]}, "no_choices"),
        (MMLU | {"choices": None}, "no_choices"),
        (MMLU | {"choices": [1, 2]}, "no_choices"),
        (MMLU | {"answer": None}, "no_answer"),
        (MMLU | {"answer": True}, "answer_not_text"),
    ],
)
def test_a_row_without_its_right_option_is_left_out_with_its_reason(
    tmp_path: Path, row: dict[str, Any], reason: str
) -> None:
    columns = {"prompt": "question", "choices": "choices", "answer": "answer", "grader": "choice"}
    _, unusable = read(tmp_path, [MMLU | {"question": "And one?"}, row], "", **columns)
    assert [one.reason for one in unusable] == [reason]


@pytest.mark.parametrize(
    ("grader", "gold", "answer"),
    [
        ("json", {"a": [1, 0.5]}, '{"a": [1, 0.5]}'),
        ("json", True, "true"),
        ("exact", True, "True"),
        ("python:json:loads", ["a"], '["a"]'),
    ],
)
def test_a_gold_may_be_a_truth_value_or_an_object_for_a_grader_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grader: str, gold: object, answer: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "json.py").write_text("from simplejson import loads\n")
    (problem,), _ = read(tmp_path, [{"q": "?", "a": gold}], "", prompt="q", answer="a", grader=grader)
    assert problem.answer == answer
    monkeypatch.undo()
    _, unusable = read(tmp_path, [{"q": "?", "a": "x"}, {"q": "?", "a": gold}], "", prompt="q", answer="a")
    assert [one.reason for one in unusable] == ["answer_not_text"]


def test_a_solution_in_several_columns_gets_its_final_answer(tmp_path: Path) -> None:
    row = {"q": "Is ice cold?", "why": "Ice is frozen.", "a": "yes", "n": {"of": 3}}
    (problem,), _ = read(tmp_path, [row], "", prompt="{q} ({n.of})", answer="{a}", solution="{why}\nAnswer: {a}")
    assert (problem.prompt, problem.answer) == ("Is ice cold? (3)", "yes")
    assert problem.solution == "Ice is frozen.\nAnswer: yes"


@pytest.mark.parametrize("name", ["arc-challenge", "gsm8k"])
def test_a_revision_of_params_pins_a_published_set_and_wins_over_its_row(name: str) -> None:
    assert known(Source(path=f"known:{name}", revision="0" * 40)).revision == "0" * 40
