from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core import files, fingerprint
from pipeline.core.errors import PipelineError
from pipeline.core.journal import Journal
from pipeline.core.records import Candidate, Dropped, Problem, State, Tree, Verdict

TREE = Tree(
    "p",
    "what?",
    (
        State(
            ("Step 1: a",),
            (Candidate("b", 2, 1.0, "step", False),),
            (Verdict(0, 1, "x", None),),
            "step",
            0,
            None,
            False,
        ),
    ),
    ("Step 1: a", "b"),
    "answer",
)


def test_nested_records_come_back_as_written_and_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    files.write(tmp_path / "a.parquet", Tree, [TREE, TREE])
    files.write(tmp_path / "b.parquet", Tree, [TREE, TREE])
    assert files.read(tmp_path / "a.parquet", Tree) == [TREE, TREE]
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_list_that_is_not_read_is_empty_and_all_else_is_there(tmp_path: Path) -> None:
    files.write(tmp_path / "a.parquet", Tree, [TREE, TREE])
    state = dataclasses.replace(TREE.states[0], verdicts=())
    bare = dataclasses.replace(TREE, states=(state,))
    assert list(files.rows(tmp_path / "a.parquet", Tree, 1, "verdicts")) == [bare, bare]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_json(path, {"x": 1})
    with pytest.raises(ValueError):
        files.write_json(path, {"x": math.nan})
    assert files.read_json(path) == {"x": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_bad_files_are_named_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no such file"):
        files.read(tmp_path / "absent.parquet", Problem)
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(PipelineError, match=r"torn\.parquet: not a readable Parquet file"):
        files.read(tmp_path / "torn.parquet", Problem)
    pq.write_table(pa.table({"problem_id": ["a"]}), tmp_path / "narrow.parquet")
    with pytest.raises(PipelineError, match="column 'prompt' is missing"):
        files.read(tmp_path / "narrow.parquet", Problem)


def test_a_journal_gives_back_what_was_finished_and_drops_a_torn_line(tmp_path: Path) -> None:
    with Journal(tmp_path, "search", "f" * 64, Tree) as journal:
        journal.add("p", TREE)
        journal.add("q", dataclasses.replace(TREE, problem_id="q"))
    with journal.path.open("ab") as file:
        file.write(b'{"key": "r", "row": {"prob')
    with Journal(tmp_path, "search", "f" * 64, Tree) as again:
        assert again.done == {"p": TREE, "q": dataclasses.replace(TREE, problem_id="q")}
        again.add("r", TREE)
    with Journal(tmp_path, "search", "f" * 64, Tree) as third:
        assert set(third.done) == {"p", "q", "r"}


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda line: line[:30] + b"\x00" + line[31:], "line: Invalid JSON"),
        (lambda line: re.sub(rb'"votes": (\d+)', rb'"votes": "\1"', line), "votes: Input should be a valid integer"),
        (lambda line: line.replace(b'"end": "answer"', b'"fin": "answer"'), "row.end: Field required"),
        (lambda line: line.replace(b'"end": "answer"', b'"end": "answer", "gold": "2"'), "row.gold: Unexpected"),
        (lambda line: b"[]\n", "line: Input should be"),
    ],
)
def test_a_damaged_line_costs_its_own_unit_alone_and_the_file_is_kept(
    spoil: Callable[[bytes], bytes], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Journal(tmp_path, "search", "f" * 64, Tree) as journal:
        for key in ("p", "q", "r"):
            journal.add(key, dataclasses.replace(TREE, problem_id=key))
    lines = journal.path.read_bytes().splitlines(keepends=True)
    damaged = lines[0] + spoil(lines[1]) + lines[2]
    assert damaged != b"".join(lines)
    journal.path.write_bytes(damaged)
    with Journal(tmp_path, "search", "f" * 64, Tree) as again:
        assert set(again.done) == {"p", "r"}
        warning = capsys.readouterr().err
        assert warning.startswith(f"warning: {journal.path}: damaged in line 2 (") and why in warning
        assert warning.count("\n") == 1
        (kept,) = tmp_path.glob("search/*.damaged-*")
        assert kept.read_bytes() == damaged and str(kept) in warning
        with pytest.raises(PipelineError, match="another run"), Journal(tmp_path, "search", "f" * 64, Tree):
            pass
        again.add("q", TREE)
    with Journal(tmp_path, "search", "f" * 64, Tree) as third:
        assert set(third.done) == {"p", "q", "r"} and not capsys.readouterr().err


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with (
        Journal(tmp_path, "search", "f" * 64, Tree),
        pytest.raises(PipelineError, match="another run"),
        Journal(tmp_path, "search", "f" * 64, Tree),
    ):
        pass


def test_a_fingerprint_sees_values_and_file_contents(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"1")
    before = fingerprint.values(1, tmp_path)
    assert fingerprint.values(1, tmp_path) == before
    assert fingerprint.values(2, tmp_path) != before
    weights.write_bytes(b"2")
    assert fingerprint.values(1, tmp_path) != before


def test_a_content_hash_follows_every_value_but_not_the_order() -> None:
    rows = [Dropped("ift", str(n), "altered", "text") for n in range(3)]
    assert files.content(rows) == files.content(rows[::-1]) != files.content(rows[:2])
    assert files.content(rows) != files.content([*rows[:2], Dropped("ift", "2", "altered", "tex")])


def test_quantiles_are_values_that_occur() -> None:
    assert files.quantiles([3, 1, 2, 5, 4]) == {"min": 1, "p25": 2, "median": 3, "p75": 4, "max": 5}
    assert files.quantiles([]) == {}
