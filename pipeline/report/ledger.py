"""The drop ledger: everything that was left out anywhere in the run, by stage and reason, with examples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from pipeline.core.errors import PipelineError
from pipeline.core.files import replacing

EXAMPLES = 3
_LENGTH = 160  # characters of an example
_PROBLEMS = pl.lit("problems")  # the stage that leaves out rows of sources


def dropped(path: Path, of: str) -> pl.DataFrame:
    """Rows of a file of `records.Dropped`. of: the model or role that they were left out of."""
    return _rows(path, pl.col("stage"), pl.lit(of), pl.col("reason"), pl.col("text"))


def overlaps(path: Path) -> pl.DataFrame:
    """Training prompts that overlap with evaluation problems (a file of `records.Overlap`)."""
    return _rows(path, _PROBLEMS, pl.col("role"), pl.lit("overlap_") + pl.col("rule"), pl.col("prompt"))


def duplicates(path: Path) -> pl.DataFrame:
    """Training prompts that were given already (a file of `records.Duplicate`)."""
    kind = pl.when(pl.col("near").is_null()).then(pl.lit("duplicate_of_")).otherwise(pl.lit("near_copy_of_"))
    return _rows(path, _PROBLEMS, pl.col("role"), pl.concat_str(kind, "kept_by"), pl.col("prompt"))


def unusable(path: Path) -> pl.DataFrame:
    """Rows of sources that could not be used (a file of `records.UnusableRow`)."""
    return _rows(path, _PROBLEMS, pl.col("role"), pl.col("reason"), pl.col("text"))


def ledger(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """One row for each stage, model or role, and reason: its count, the most frequent first, and up to three texts.

    Stages stand in the order given. Columns: stage, of, reason, count, example 1 to 3 (null where there are fewer).
    """
    shortened = pl.col("text").str.replace_all(r"\s+", " ").str.head(_LENGTH)
    examples = shortened.filter(shortened != "").unique(maintain_order=True).head(EXAMPLES)
    grouped = pl.concat(parts).group_by("stage", "of", "reason", maintain_order=True)
    counted = grouped.agg(pl.len().alias("count"), examples.alias("examples"))
    place = pl.col("place").min().over("stage", "of")  # keeps stages and models where they are
    rows = counted.with_row_index("place").sort(place, "count", descending=[False, True], maintain_order=True)
    names = [f"example {number}" for number in range(1, EXAMPLES + 1)]
    return rows.with_columns(
        pl.col("examples").list.get(index, null_on_oob=True).alias(name) for index, name in enumerate(names)
    ).drop("place", "examples")


def write(table: pl.DataFrame, path: Path) -> None:
    """The ledger as CSV."""
    with replacing(path) as temporary:
        table.write_csv(temporary)


def _rows(path: Path, stage: pl.Expr, of: pl.Expr, reason: pl.Expr, text: pl.Expr) -> pl.DataFrame:
    try:
        return pl.read_parquet(path).select(stage=stage, of=of, reason=reason, text=text)
    except FileNotFoundError as error:
        raise PipelineError(f"{path}: no such file; run `dvc repro` for the stage that makes it") from error
