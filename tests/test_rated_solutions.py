"""Human step ratings: every writing of a number is read, nothing else is; each rated solution has a key of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.records import LabelledSolution
from pipeline.data import ratings
from pipeline.data.settings import Source
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import prm

SHARED = os.environ.get("PSR_SHARED_DATA")
ROW = {"instruction": "q", "responses": ["a"], "next_response": "b"}
STEP = {"completions": [{"text": "b", "rating": None}], "chosen_completion": None, "human_completion": None}


def table(folder: Path, *literals: str) -> Source:
    """A table of candidate steps with these ratings, literally, after one that is good."""
    rows = [json.dumps(ROW | {"next_response": f"s{n}"})[:-1] for n in range(len(literals) + 1)]
    path = folder / "t.jsonl"
    path.write_text("".join(f'{row}, "rating": {value}}}\n' for row, value in zip(rows, ("1", *literals), strict=True)))
    return Source(path=str(path), rows=0, format="prm800k")


READ = {"1": 1, "0": 0, "-1": -1, "1.0": 1, "-1.0": -1, "0.0": 0, "-0.0": 0, "1e0": 1, '"1"': 1, '"-1"': -1, '"+1"': 1}
READ |= {'"-1.0"': -1, '" 0 "': 0, "null": None, "NaN": None, '""': None, '" "': None}  # type: ignore[dict-item]


@pytest.mark.parametrize(("literal", "rating"), READ.items())
def test_a_rating_is_a_number_in_any_writing_or_none(literal: str, rating: int | None, tmp_path: Path) -> None:
    steps = ratings.read(table(tmp_path, literal))
    assert [step.rating for step in steps] == [1, rating] and not isinstance(steps[1].rating, bool)


@pytest.mark.parametrize(
    "literal",
    [
        "true",
        "false",
        "0.5",
        "2",
        "1.0000000001",
        "1e16",
        "Infinity",
        '"good"',
        '"+"',
        '"nan"',
        "[1]",
        '{"r": 1}',
        "9" * 5000,
    ],
)
def test_another_rating_is_one_short_line_with_its_row(literal: str, tmp_path: Path) -> None:
    source = table(tmp_path, literal)
    with pytest.raises(PipelineError, match="row 2: a rating must be -1, 0, 1 or null, is ") as caught:
        ratings.read(source)
    assert len(str(caught.value).replace(source.path, "")) < 300


@pytest.mark.parametrize(("value", "rating"), [(1.0, 1), (-1.0, -1), (float("nan"), None), (None, None)])
def test_a_float_column_of_ratings_is_read(value: float | None, rating: int | None, tmp_path: Path) -> None:
    columns: dict[str, Any] = {name: [part] * 2 for name, part in ROW.items()}
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(columns | {"next_response": ["s0", "s1"], "rating": pa.array([1.0, value])}), path)
    assert [step.rating for step in ratings.read(Source(path=str(path), rows=0))] == [1, rating]


@pytest.mark.parametrize("rating", [1.0, "1"])
def test_prm800ks_own_records_may_have_them_too(rating: object, tmp_path: Path) -> None:
    step = STEP | {"completions": [{"text": "b", "rating": rating}]}
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps({"question": {"problem": "q"}, "label": {"steps": [step]}}) + "\n")
    assert [step.rating for step in ratings.read(Source(path=str(path), rows=0))] == [1]


@pytest.mark.parametrize(
    "row", ['{"instruction": "a", "instruction": "b"}', '{"z": ' + "[" * 100_000 + "]" * 100_000 + "}"]
)
def test_a_rated_row_that_cannot_be_used_is_one_line(row: str, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(row + "\n")
    for reader in (ratings.read, lambda source: list(ratings.prompts(source))):
        with pytest.raises(PipelineError, match=r"t\.jsonl: row 1: "):
            reader(Source(path=str(path), rows=0))


def test_shards_of_ratings_are_one_source_and_equal_steps_count_once(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        Path(table(tmp_path / name, "-1").path).rename(tmp_path / f"{name}.jsonl")
        (tmp_path / name).rmdir()
    assert [step.rating for step in ratings.read(Source(path=str(tmp_path), rows=0))] == [1, -1]
    assert list(ratings.prompts(Source(path=str(tmp_path), rows=0))) == ["q"]


def test_each_solution_of_a_problem_has_rating_tasks_of_its_own(renderer: Renderer) -> None:
    rows = [
        LabelledSolution("p", "How many?", ("Step 1: a", "Step 2: b"), (True, True)),
        LabelledSolution("p", "How many?", ("Step 1: a", "Step 2: c"), (True, False)),
        LabelledSolution("p", "How many?", ("Step 1: a",), (True,)),
        LabelledSolution("p", "How much?", ("Step 1: a",), (True,)),
    ]
    tasks = prm.rating_tasks(renderer, rows)
    assert len(tasks) == sum(len(row.labels) for row in rows)
    again = prm.rating_tasks(renderer, rows[::-1])
    assert set(again) == set(tasks) and list(again) != list(tasks)


@pytest.mark.skipif(SHARED is None, reason="PSR_SHARED_DATA does not name a folder with the real data")
def test_every_real_rated_solution_has_its_own_key_and_a_task_for_each_label(renderer: Renderer) -> None:
    source = Source(path=f"{SHARED}/process/prm800k_phase1_test.stepwise.parquet", rows=0, format="prm800k")
    rows = ratings.labelled(ratings.read(source), neutral=True)
    assert len({row.solution_id for row in rows}) == len(rows) > len({row.problem_id for row in rows})
    some = rows[:300]
    assert len(prm.rating_tasks(renderer, some)) == sum(len(row.labels) for row in some)
