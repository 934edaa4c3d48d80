"""Statistics against the rows that they count: made again from them, as their stage makes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.cli.verify import rounds
from pipeline.core import files, plugins
from pipeline.core.records import Answered, Dropped, Duplicate, LabelledSolution, Overlap, Problem, Solution
from pipeline.data import ift, labels
from pipeline.evaluation import evaluate

Tables = Mapping[str, Path]  # by their names without `.parquet`
_LEFT_OUT: dict[str, Any] = {"overlaps": Overlap, "duplicates": Duplicate}
_TRAINED = ("prm", "sft", "dpo", "dpo_variant")


def faults(name: str, stage: Any, own: Tables, given: Tables, stats: rounds.Statistics) -> Iterator[str]:
    """What differs in the statistics `stats` of a stage. own: the tables that it made; given: those that it had.

    What it counts beside rows (losses, tokens of a training) is not looked at.
    """
    kind, _, key = name.partition("@")
    dropped = [path for path in own.values() if path.parent.name == "dropped"]
    if kind == "problems":
        yield from rounds.unequal(_of_problems(own), stats)
    elif kind in _TRAINED and dropped:
        yield from rounds.unequal({"dropped": len(files.read(dropped[0], Dropped))}, stats)
    elif kind in ("ift", "prm_data", "eft") and dropped:
        yield from rounds.unequal(_of_data(kind, key, own, given, files.read(dropped[0], Dropped), stats), stats)
    elif kind in ("evaluate", "reference"):
        rows, samples = (files.read(own[part], Answered) for part in ("answers", "samples"))
        graders = {problem.split: problem.grader for problem in files.read(given["evaluation"], Problem)}
        yield from rounds.unequal(evaluate.accuracy(rows, samples, graders), stats)
    elif kind == "judge_eval":
        method = stage["params"]["params.yaml"][f"judges.{key}"]["method"]
        measure = plugins.part(rounds.METHODS, method, "measure")
        yield from rounds.unequal(measure.quality(files.read(own["judgments"], measure.Row)), stats)


def _of_problems(own: Tables) -> dict[str, Any]:
    """Rows and content of each role, and how many were left out of it."""
    made: dict[str, Any] = {}
    for role, path in own.items():
        if path.parent.name == "dropped":
            continue
        rows = files.read(path, _LEFT_OUT.get(role, Problem))
        of_role = {"rows": len(rows), "content": files.content(rows)}
        made[role] = files.counts(row.role for row in rows) if role in _LEFT_OUT else of_role
    return made


def _of_data(
    kind: str, key: str, own: Tables, given: Tables, dropped: list[Dropped], stats: rounds.Statistics
) -> dict[str, Any]:
    if kind == "ift":
        return ift.statistics(files.read(own["train"], Solution), dropped)
    if kind == "prm_data":
        rows = [row for part in ("train", "test") for row in files.read(own[part], LabelledSolution)]
        return labels.statistics(files.read(given["prm"], Problem), rows, dropped)
    check = rounds.part(key, "counted")
    row_type = plugins.part(rounds.METHODS, key, "eft").Row
    parts = (files.read(own[part], row_type) for part in ("train", "test"))
    return dict(check(*parts, dropped, stats.values)) if check else {}
