from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from pipeline.cli import __main__ as psr
from pipeline.cli import show
from pipeline.core import files
from pipeline.core.errors import PipelineError
from pipeline.core.records import (
    Candidate,
    Dropped,
    JudgedPair,
    LabelledSolution,
    Node,
    Preference,
    SearchTree,
    SecondRanking,
    State,
    Tree,
    Verdict,
)

EVIL = "Step 1: [bold red]\x1b[31mpwned\x07[/] \u202eabc"


def tree(number: int, outcome: str = "step") -> Tree:
    candidates = (Candidate("Step 1: 2+2=4", 2, 1.0, "step", False), Candidate(EVIL, 1, 0.0, "length", False))
    judged = Verdict(0, 1, "so it is [[A]]", "A")
    chosen = State((), candidates, (judged,), outcome, 0, 1, False)
    after = State(("Step 1: 2+2=4",), candidates[:1], (), "single", 0, None, True)
    return Tree(f"round-m2-{number:05d}", "How many?", (chosen, after), ("Step 1: 2+2=4",), "answer")


def preference(problem: str, step: int, chosen: str = "Step 1: right") -> Preference:
    return Preference(problem, step, "How many?", (), chosen, "Step 1: wrong", False, True, 2.0, 1 / 3, "m2")


def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object) -> str:
    monkeypatch.setattr(sys, "argv", ["psr", "show", *map(str, arguments)])
    psr.main()
    return capsys.readouterr().out


def test_every_kind_of_row_is_known_by_its_columns() -> None:
    columns = [tuple(files.schema(kind).names) for kind in show.KINDS]
    assert len(set(columns)) == len(columns)


def test_a_search_is_a_tree_with_marks_that_need_no_colour(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write(tmp_path / "trees.parquet", Tree, [tree(7), tree(12, "tie")])
    text = shown(capsys, monkeypatch, tmp_path, "--problem", 7)
    assert "round-m2-00007" in text and "round-m2-00012" not in text
    assert "✓ 0 [wins 1, votes 2] Step 1: 2+2=4" in text
    assert "✗ 1 [wins 0, votes 1, unusable: length]" in text
    assert "taken back by a later rollback" in text and "so it is" not in text
    assert "A=0 B=1: A | so it is [[A]]" in shown(capsys, monkeypatch, tmp_path, "--judgments")
    assert "state 0" not in shown(capsys, monkeypatch, tmp_path, "--problem", "round-m2-00012", "--state", 1)
    assert "1 of 1 matching rows" in shown(capsys, monkeypatch, tmp_path, "--outcome", "tie")


def test_a_second_ranking_shows_its_scores_and_on_request_its_verdicts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = (Verdict(0, 1, "so it is [[A]]", "A"),)
    row = SecondRanking("p", 2, ("Step 2: a", "Step 2: b"), (0.0, 1.0), (1.0, 0.0), judged, 0.0)
    files.write(tmp_path / "rankings.parquet", SecondRanking, [row])
    text = shown(capsys, monkeypatch, tmp_path)
    assert "step_index 2" in text and "second_scores" in text and "so it is" not in text
    assert "so it is [[A]]" in shown(capsys, monkeypatch, tmp_path, "--judgments")


def test_model_text_is_neither_markup_nor_able_to_act_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write(tmp_path / "trees.parquet", Tree, [tree(1)])
    text = shown(capsys, monkeypatch, tmp_path)
    assert "Step 1: [bold red]<U+001B>[31mpwned<U+0007>[/] <U+202E>abc" in text
    assert not set("\x1b\x07\u202e") & set(text)


def test_a_monte_carlo_tree_marks_best_and_worst_sibling(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = [(-1, 1.0), (0, 0.9), (0, 0.5), (0, 0.2), (1, 0.7)]
    nodes = tuple(Node(parent, f"Step {parent} {score}", score, 1, score, False) for parent, score in scores)
    files.write(tmp_path / "trees.parquet", SearchTree, [SearchTree("eft-00000", "How many?", nodes, "searched")])
    lines = shown(capsys, monkeypatch, tmp_path).splitlines()
    assert next(line for line in lines if "✓" in line).endswith("Step 0 0.9")
    assert next(line for line in lines if "✗" in line).endswith("Step 0 0.2")
    assert next(line for line in lines if "0.7" in line).startswith("│   └──")


def test_rows_are_filtered_by_problem_step_outcome_and_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [preference("p-01", 1), preference("p-01", 2), preference("p-10", 2, 'Step 2: a "quoted" \\boxed{4} ü')]
    files.write(tmp_path / "train.parquet", Preference, rows)
    files.write(
        tmp_path / "dropped.parquet", Dropped, [Dropped("pairs", "p-01/3", "tie", ""), Dropped("", "q", "", "")]
    )

    def count(*arguments: object) -> str:
        return shown(capsys, monkeypatch, *arguments).splitlines()[-1].split(": ")[1]

    assert count(tmp_path) == "3 of 3 matching rows (Preference)"
    assert count(tmp_path, "--problem", 1).startswith("2 of 2")
    assert count(tmp_path, "--step", 2).startswith("2 of 2")
    assert count(tmp_path, "--text", '"quoted" \\boxed{4} ü').startswith("1 of 1")
    assert count(tmp_path, "--skip", 1, "--limit", 1) == "1 of 3 matching rows (Preference); --skip 2 shows the next"
    assert count(tmp_path / "dropped.parquet", "--problem", 1, "--outcome", "tie").startswith("1 of 1")


def test_good_and_bad_texts_are_marked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = JudgedPair("e-0/0/0", "e-0", "How many?", (), "first", "second", "because [[B]]", "B", 0.1, 0.9)
    labelled = LabelledSolution("p-0", "How many?", ("one", "two"), (True, False))
    for kind, row in ((JudgedPair, judged), (LabelledSolution, labelled)):
        files.write(tmp_path / f"{kind.__name__}.parquet", kind, [row])
    text = shown(capsys, monkeypatch, tmp_path / "JudgedPair.parquet")
    assert "✗ a      first" in text and "✓ b      second" in text and "because" not in text
    text = shown(capsys, monkeypatch, tmp_path / "LabelledSolution.parquet")
    assert "✓ completions one" in text and "✗             two" in text


def test_bad_input_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no Parquet file there"):
        show.data_file(tmp_path)
    (tmp_path / "a.parquet").write_bytes(b"nothing")
    with pytest.raises(PipelineError, match="not a readable Parquet file"):
        show.kind_of(tmp_path / "a.parquet")
    other = dataclasses.make_dataclass("Other", [("column", str)])
    files.write(tmp_path / "b.parquet", other, [other("x")])
    with pytest.raises(PipelineError, match="columns column are no record"):
        show.kind_of(tmp_path / "b.parquet")
    with pytest.raises(PipelineError, match=r"name one of its files: a\.parquet, b\.parquet"):
        show.data_file(tmp_path)
    files.write(tmp_path / "c.parquet", Dropped, [])
    with pytest.raises(PipelineError, match="decide no step"):
        show.matching(tmp_path / "c.parquet", Dropped, None, 1, None, None)


def test_a_row_of_other_types_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = dataclasses.make_dataclass("Other", [(name, int) for name in files.schema(Dropped).names])
    files.write(tmp_path / "d.parquet", other, [other(1, 2, 3, 4)])
    with pytest.raises(SystemExit) as stopped:
        shown(capsys, monkeypatch, tmp_path / "d.parquet")
    assert stopped.value.code == 1
    assert "matching row 1: no Dropped: stage: Input should be a valid string, is 1; make" in capsys.readouterr().err
