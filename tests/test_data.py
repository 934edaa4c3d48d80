"""IFT, EFT and problem files: nothing altered, nothing lost, every drop with its reason."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pipeline import eft, ift
from pipeline.errors import PipelineError
from pipeline.params import Eft, Source
from pipeline.problems import from_file
from pipeline.records import Node, Problem, SearchTree

SHARED = os.environ.get("PSR_SHARED_DATA")


def jsonl(path: Path, rows: list[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_segmenting_adds_markers_and_changes_nothing_else() -> None:
    problem = Problem("p", "q", "ift", None, "First 1+1=2.\n\nSo\n$$x\n= 2$$ it is \\boxed{2}.")
    (row,), dropped = ift.segmented([problem], ift.by_line)
    assert not dropped
    assert row.steps == ("Step 1: First 1+1=2.", "Step 2: So", "Step 3: $$x\n= 2$$ it is \\boxed{2}.")


@pytest.mark.parametrize(
    ("solution", "segmented", "reason"),
    [
        ("a \\boxed{1}", "Step 1: b \\boxed{1}", "altered"),
        ("a \\boxed{1}", "a \\boxed{1}", "no_steps"),
        ("a 1", "Step 1: a 1", "no_boxed_answer"),
        ("", "", "no_solution"),
    ],
)
def test_a_changed_solution_is_dropped_with_its_reason(solution: str, segmented: str, reason: str) -> None:
    kept, dropped = ift.segmented([Problem("p", "q", "ift", None, solution)], lambda _p, _s: segmented)
    assert not kept
    assert [row.reason for row in dropped] == [reason]


def tree(problem: str, *scores: float) -> SearchTree:
    root = Node(-1, "", 1.0, 1, 0.5, False)
    return SearchTree(
        problem, "q", (root, *(Node(0, f"Step 1: s{i}", s, 1, s, False) for i, s in enumerate(scores))), "searched"
    )


def test_a_layer_gives_best_against_worst_in_both_orders() -> None:
    rows, dropped = eft.judged_pairs(eft.layers([tree("p", 0.4, 0.9, 0.1)]), prefers("s1"), SETTINGS)
    assert not dropped
    assert [(row.a, row.b, row.winner) for row in rows] == [
        ("Step 1: s1", "Step 1: s2", "A"),
        ("Step 1: s2", "Step 1: s1", "B"),
    ]


SETTINGS = Eft(margin=0.2, pairs_per_problem=1, test_pairs=2)


def prefers(word: str):
    return lambda _problem, _steps, a, b: "[[A]]" if word in a else "[[B]]"


@pytest.mark.parametrize(
    ("scores", "annotate", "reason"),
    [
        ((0.5, 0.4), prefers("s0"), "margin"),
        ((0.9, 0.1), prefers("s1"), "disagrees_with_prm"),
        ((0.9, 0.1), lambda *_: "[[A]]", "inconsistent"),
        ((0.9, 0.1), lambda *_: "hm", "unreadable"),
    ],
)
def test_a_pair_that_is_left_out_keeps_its_reason(scores, annotate, reason: str) -> None:
    rows, dropped = eft.judged_pairs(eft.layers([tree("p", *scores)]), annotate, SETTINGS)
    assert not rows
    assert [row.reason for row in dropped] == [reason]


def test_the_judge_test_set_is_held_out_by_problem_with_one_row_a_pair() -> None:
    trees = [tree(f"p{i}", 0.9, 0.1) for i in range(10)]
    rows, _ = eft.judged_pairs(eft.layers(trees), prefers("s0"), SETTINGS)
    train, test, surplus = eft.split(rows, 4, seed=1)
    assert not surplus
    assert len(test) == 4 and len(train) == 12
    assert not {row.problem_id for row in test} & {row.problem_id for row in train}
    assert {row.winner for row in eft.split(rows, 10, seed=1)[1]} == {"A", "B"}


def test_sampling_follows_content_not_row_order(tmp_path: Path) -> None:
    rows = [{"q": f"problem {i}"} for i in range(50)]
    source = Source(str(jsonl(tmp_path / "a.jsonl", rows)), 10, "q")
    other = Source(str(jsonl(tmp_path / "b.jsonl", rows[::-1])), 10, "q")
    assert from_file(source, "eft", "eft", 1, set()) == from_file(other, "eft", "eft", 1, set())
    taken: set[str] = set()
    first = from_file(source, "eft", "eft", 1, taken)
    second = from_file(source, "ift", "ift", 1, taken)
    assert not {p.prompt for p in first} & {p.prompt for p in second}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"q": "x"}\n{"p": "y"}\n', r"row 2: column 'q' is missing"),
        (b'{"q": "x"}\n{"q": "  "}\n', r"row 2: column 'q' is empty"),
        (b'{"q": "x"}\n{"q": 3}\n', r"row 2: column 'q' must be text"),
        (b'{"q": "x"}\n{"q": "\xff"}\n', r"row 2: not UTF-8"),
        (b'{"q": "x"}\n{"q": \n', r"row 2: not JSON"),
        (b'{"q": "x"}\n[1]\n', r"row 2: not a JSON object"),
        (b'{"q": "x"}\n', r"needs 5 problems, only 1"),
    ],
)
def test_a_bad_problems_file_is_named_with_its_row(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    with pytest.raises(PipelineError, match=message) as caught:
        from_file(Source(str(path), 5, "q"), "eft", "eft", 1, set())
    assert str(path) in str(caught.value)


@pytest.mark.skipif(SHARED is None, reason="PSR_SHARED_DATA does not name a folder with the real data")
def test_real_gsm8k_solutions_become_ift_rows_or_drops_with_nothing_lost() -> None:
    source = Source(f"{SHARED}/process/gsm8k_train.jsonl", 200, "question", "answer", "answer", "gsm8k")
    problems = from_file(source, "ift", "ift", 1, set())
    kept, dropped = ift.segmented(problems, ift.by_line)
    assert len(problems) == 200 == len(kept) + len(dropped)
    assert len(kept) > 190
    for row in kept:
        (problem,) = [p for p in problems if p.problem_id == row.problem_id]
        assert ift.preserved(problem.solution or "", "\n".join(row.steps))
