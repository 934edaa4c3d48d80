from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipeline.core import files
from pipeline.core.errors import PipelineError
from pipeline.core.records import Dropped, Duplicate, Overlap, Text
from pipeline.report import embedding, excerpt, ledger


def texts(count: int) -> list[Text]:
    words = {"IFT": "apples and pears", "EFT": "verdict [[A]] because", "PPD": "step by step"}
    return [Text(k, str(n), f"{w} {n} {n % 7}", f"{w} {n % 5} so {n}") for k, w in words.items() for n in range(count)]


def test_figure_2_is_the_same_every_time_and_tells_kinds_apart() -> None:
    points, stats = embedding.figure(texts(20), "", seed=1)
    assert len(points) == 120 and stats["texts"] == {"EFT": 20, "IFT": 20, "PPD": 20}
    assert stats["neighbours"]["responses"]["EFT"]["EFT"] == 1.0
    assert embedding.figure(texts(20), "", seed=1)[0] == points


def test_figure_2_takes_any_model_folder_and_says_where_there_is_none(tiny_model: Path) -> None:
    points, stats = embedding.figure(texts(6), str(tiny_model), seed=1)
    assert len(points) == 36 and "TF-IDF" not in stats["method"]
    vectors = embedding.model_vectors(["one text", "one text", "a longer other text"], str(tiny_model))
    assert vectors[0] == pytest.approx(vectors[1], abs=1e-5) and vectors[0] != pytest.approx(vectors[2], abs=1e-3)
    with pytest.raises(PipelineError, match=r"report\.embedder: no model"):
        embedding.model_vectors(["a"], "/nowhere")


def test_a_sample_does_not_depend_on_order_or_neighbours() -> None:
    rows = [str(n) for n in range(50)]
    chosen = excerpt.by_hash(rows, str, 10)
    assert set(excerpt.by_hash(rows[::-1], str, 10)) == set(chosen)
    assert set(excerpt.by_hash(rows[:-1], str, 10)) >= set(chosen) - {rows[-1]}
    balanced = excerpt.balanced([*texts(5), *texts(5)[:5], Text("IFT", "more", "p", "r")], 9)
    assert [t.kind for t in balanced] == ["IFT"] * 5 + ["EFT"] * 5 + ["PPD"] * 5


def test_the_ledger_counts_every_row_and_shows_three_examples(tmp_path: Path) -> None:
    rows = [Dropped("pairs", str(n), "single" if n else "tie", f"text\n{n % 5}") for n in range(9)]
    files.write(tmp_path / "dropped.parquet", Dropped, rows)
    hit = Overlap("ift", "i1", "ngram", "shared words", "a prompt", "e1", "its twin")
    files.write(tmp_path / "overlaps.parquet", Overlap, [hit])
    twice = [Duplicate("eft", f"e{n}", f"prompt {n}", "ift") for n in range(2)]
    files.write(tmp_path / "duplicates.parquet", Duplicate, twice)
    parts = [
        ledger.overlaps(tmp_path / "overlaps.parquet"),
        ledger.duplicates(tmp_path / "duplicates.parquet"),
        ledger.dropped(tmp_path / "dropped.parquet", "m2"),
    ]
    ledger.write(ledger.ledger(parts), tmp_path / "ledger.csv")
    assert pl.read_csv(tmp_path / "ledger.csv").rows() == [
        ("problems", "ift", "overlap_ngram", 1, "a prompt", None, None),
        ("problems", "eft", "duplicate_of_ift", 2, "prompt 0", "prompt 1", None),
        ("pairs", "m2", "single", 8, "text 1", "text 2", "text 3"),
        ("pairs", "m2", "tie", 1, "text 0", None, None),
    ]


def test_a_ledger_of_nothing_is_an_empty_table(tmp_path: Path) -> None:
    files.write(tmp_path / "dropped.parquet", Dropped, [])
    ledger.write(ledger.ledger([ledger.dropped(tmp_path / "dropped.parquet", "m2")]), tmp_path / "ledger.csv")
    assert (tmp_path / "ledger.csv").read_text() == "stage,of,reason,count,example 1,example 2,example 3\n"


def test_an_absent_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no such file"):
        ledger.dropped(tmp_path / "dropped.parquet", "m2")
