"""Several files as one source: a folder or a glob, all of one kind, in the order of their names."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import PipelineError
from pipeline.data.problems import Selection, held_out
from pipeline.data.settings import Source


def shard(path: Path, *prompts: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = [{"q": prompt, "a": "1"} for prompt in prompts]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(table), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in table))


@pytest.mark.parametrize(
    ("path", "prompts"),
    [
        ("folder", ["a", "b"]),
        ("folder/*.jsonl", ["a", "b"]),
        ("folder/part-?.jsonl", ["a", "b"]),
        ("folder/part-[01].jsonl", ["a"]),
        ("**/*.jsonl", ["a", "b"]),
        ("spark.parquet", ["c", "d"]),
        ("one[1].jsonl", ["e"]),
    ],
)
def test_several_files_are_one_source_in_the_order_of_their_names(
    path: str, prompts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, prompt in (("2", "b"), ("1", "a")):
        shard(Path(f"folder/part-{name}.jsonl"), prompt)
    shard(Path("spark.parquet/part-1.parquet"), "d")
    shard(Path("spark.parquet/part-0.parquet"), "c")
    for ignored in ("folder/README.md", "folder/.hidden", "spark.parquet/_SUCCESS"):
        Path(ignored).write_text("no data")
    if path == "one[1].jsonl":
        shard(Path(path), "e")
    problems = held_out(Source(path=path, rows=0, prompt="q", answer="a"), "math", 1, [])
    assert [problem.prompt for problem in problems] == prompts


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none", "none: no such file"),
        ("*.none", r"\*.none: no such file"),
        ("empty", "empty: no such file"),
        ("mixed", "must be of one kind, it has a.jsonl, b.csv"),
        ("deep", "must be of one kind, it has .*inside"),
        ("odd", "must be of one kind, it has a.jsonl, b.xlsx"),
        ("bad", r"b.jsonl: row 2: not JSON"),
        ("absent", r"column 'a' is missing; it has q"),
    ],
)
def test_files_that_are_no_shards_of_one_source_are_one_line(
    path: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    for folder in ("mixed", "deep", "odd", "bad"):
        shard(Path(folder, "a.jsonl"), "a")
    shard(Path("mixed/b.csv"), "b")
    shard(Path("deep/inside/b.jsonl"), "b")
    Path("odd/b.xlsx").touch()
    Path("bad/b.jsonl").write_text('{"q": "b", "a": 1}\n{')
    shard(Path("absent/a.parquet"), "a")
    pq.write_table(pa.table({"q": ["b"]}), "absent/b.parquet")
    with pytest.raises(PipelineError, match=message) as caught:
        Selection([], 8, 1).take(Source(path=path, rows=0, prompt="q", answer="a"), "ift")
    assert "\n" not in str(caught.value)


def test_an_unusable_row_of_a_shard_is_named_with_its_own_file(tmp_path: Path) -> None:
    shard(tmp_path / "a.jsonl", "a", "b")
    shard(tmp_path / "b.jsonl", "c", " ")
    selection = Selection([], 8, 1)
    assert len(selection.take(Source(path=str(tmp_path), rows=0, prompt="q", answer="a"), "ift")) == 3
    (dropped,) = selection.unusable
    assert dropped.place == f"{tmp_path / 'b.jsonl'}: row 2"
