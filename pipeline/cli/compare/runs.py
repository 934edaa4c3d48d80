"""The statistics and answers of one run: of the workspace, a git revision or a DVC experiment.

Nothing is checked out: DVC reads the files of another revision from git and from its cache, and the command lines of
its stages say where they lie.
"""

from __future__ import annotations

import json
import shlex
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

import polars as pl

from pipeline.core.errors import PipelineError
from pipeline.report.metrics import PAIRS, judged

WORKSPACE = "workspace"  # DVC's own name for what is not committed
JUDGE = "judge"  # the split of judgments
Change = tuple[float, float]  # a mean difference and its standard error


class Run:
    """The files of one state of the project: the workspace, a git revision or a DVC experiment."""

    def __init__(self, name: str) -> None:
        from dvc.api import DVCFileSystem  # takes more than a second
        from dvc.exceptions import DvcException

        self.name = name
        try:
            self._files = DVCFileSystem(rev=None if name == WORKSPACE else name)
            self._stages = self._files.repo.stage  # resolves the revision
        except DvcException as error:
            raise PipelineError(f"{name}: neither a model nor a git revision nor a DVC experiment ({error})") from error

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Statistics by model and section as the stages wrote them, whether or not a report was made of them."""
        (report,) = self._collected("report")
        folder = _argument(report, "models")
        sections: dict[str, Any] = {}
        for stage in self._collected("evaluate"):
            model = stage.name.partition("@")[2]
            if names := sorted(self._files.glob(f"{folder}/{model}/*.json")):
                sections[model] = {PurePosixPath(n).stem: json.loads(self._files.read_text(n)) for n in names}
        return sections

    @property
    def models(self) -> list[str]:
        """The models that params.yaml lists and that have statistics."""
        return list(self.metrics)

    def solutions(self, model: str) -> pl.DataFrame | None:
        """Each greedy solution as rows (problem, split or `pooled`, metric, value); None where DVC has them no more."""
        (stage,) = self._collected(f"evaluate@{model}")
        answers = self._table(stage, "answers", "answers.parquet")
        if answers is None:
            return None
        metrics = {"accuracy": pl.col("grade") == "right", "answered": pl.col("end") == "answer"}
        metrics["steps"] = pl.col("steps").list.len()
        rows = _unpivoted(answers, ["problem_id", "prompt"], pl.col("split"), metrics)
        return pl.concat([rows, rows.with_columns(split=pl.lit("pooled"))])

    def judgments(self, model: str) -> pl.DataFrame | None:
        """Each judgment of a held-out pair as rows (pair, split, metric, value); None where DVC has them no more."""
        quality = judged(self.metrics[model], PAIRS)
        measured = [(model, f"{name}.json") for name, part in self.metrics[model].items() if part is quality]
        stages = [s for s in self._collected("judge_eval") if _argument(s, "stats").parts[-2:] in measured]
        if not stages:
            return None
        (stage,) = stages
        judgments = self._table(stage, "judgments", "judgments.parquet")
        pairs = self._table(stage, "eft", "test.parquet")
        if judgments is None or pairs is None:
            return None
        turned = pl.col("swapped").replace({"A": "B", "B": "A"})
        frame = judgments.join(pairs.select("pair_id", "prompt", "a", "b"), on="pair_id")
        right = (pl.col("straight") == pl.col("winner")).fill_null(False)
        metrics = {"judge_accuracy": right, "consistency": (pl.col("straight") == turned).fill_null(False)}
        return _unpivoted(frame, ["pair_id", "prompt", "a", "b"], pl.lit(JUDGE), metrics)

    def _collected(self, stage: str) -> list[Any]:
        """The stages of a name; one for each model where the name has no `@`."""
        from dvc.exceptions import DvcException

        try:
            return self._stages.collect(stage)
        except DvcException as error:
            raise PipelineError(f"{self.name}: {error}; statistics and params.yaml name other models") from error

    def _table(self, stage: Any, argument: str, file: str) -> pl.DataFrame | None:
        path = str(_argument(stage, argument) / file)
        if not self._files.exists(path):
            return None
        with self._files.open(path) as opened:
            return pl.read_parquet(opened)


def _unpivoted(table: pl.DataFrame, key: list[str], split: pl.Expr, metrics: dict[str, pl.Expr]) -> pl.DataFrame:
    """Rows (item, split, metric, value), in which the item is the columns of its key together."""
    values = {name: metric.cast(pl.Float64) for name, metric in metrics.items()}
    item = pl.concat_str(*key, separator="\0")
    return table.select(item=item, split=split, **values).unpivot(index=["item", "split"], variable_name="metric")


def _argument(stage: Any, name: str) -> PurePosixPath:
    """The path that a stage's command line gives as `--<name>`."""
    words = shlex.split(stage.cmd)
    return PurePosixPath(words[words.index(f"--{name}") + 1])


def paired(before: pl.DataFrame | None, after: pl.DataFrame | None) -> dict[tuple[str, str], Change]:
    """Mean difference and its paired standard error by (split, metric); empty unless both hold the same items."""
    if before is None or after is None:
        return {}
    both = before.join(after, on=["item", "split", "metric"], suffix="_after")
    if not both.height == before.height == after.height:
        return {}
    difference = pl.col("value_after") - pl.col("value")
    changes = both.group_by("split", "metric").agg(
        mean=difference.mean(), error=difference.std() / pl.len().cast(pl.Float64).sqrt()
    )
    return {(split, metric): (mean, error or 0.0) for split, metric, mean, error in changes.rows()}
