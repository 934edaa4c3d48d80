"""What a world's base model can reach: after SFT on exact solutions, and with the best of sixteen samples.

    python -m benchmarks.ceiling RUN [RUN ...] [--solutions 5000] [--problems 100]

RUN: a folder of a finished run in one of the embedded worlds, of which the base model, the evaluation problems and the
section `sft` are read. The exact solutions are drawn as IFT problems are, from a seed that no run uses; they train M0
once by `sft` with 16 rows an update. pass@16: the share of problems that one of M0's samples solves. Writes
RUN/reports/ceiling.json (`python -m benchmarks.gates RUN --ceiling RUN/reports/ceiling.json`).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.judged_rounds import staged
from pipeline import domains
from pipeline.core import files, machine, plugins
from pipeline.core.config import Prompts, build, read_yaml
from pipeline.core.means import grouped, named, proportion
from pipeline.core.records import Answered, Problem, Solution
from pipeline.evaluation.evaluate import right
from pipeline.language.steps import split
from pipeline.training.common import read_renderer
from pipeline.training.settings import Training
from pipeline.training.supervised import solution_row, train_supervised

SEED = 1_000_003  # of the exact solutions; runs have small seeds
SAMPLES = 16


def ceiling(run: Path, solutions: int, count: int) -> dict[str, Any]:
    """Accuracy by split of M0 after SFT on `solutions` exact solutions, and of M0 greedily and with the best of its
    samples on the first `count` problems of each split."""
    params, problems = read_yaml(run / "params.yaml"), run / "data/problems/evaluation.parquet"
    base = run / "data/m0/model"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = taught(params, base, solutions, folder / "model")
        greedy = answered(params, folder / "taught", model, problems)["answers"]
        parts = grouped(files.read(problems, Problem), lambda row: row.split)
        files.write(folder / "few.parquet", Problem, [row for part in parts.values() for row in part[:count]])
        params["evaluate"]["average"] |= {"splits": list(parts), "samples": SAMPLES}
        own = answered(params, folder / "base", base, folder / "few.parquet")
    return {
        "solutions": solutions,
        "taught": accuracies(greedy),
        "base": accuracies(own["answers"]),
        f"pass@{SAMPLES}": {split: at_least_one(rows) for split, rows in with_all(own["samples"]).items()},
    }


def taught(params: dict[str, Any], base: Path, count: int, folder: Path) -> Path:
    """M0 after SFT on exact solutions alone."""
    domain = params["domain"]
    world, made, lines = (
        plugins.part(domains.__name__, domain, role) for role in ("settings", "problems", "solutions")
    )
    drawn = made.training(build(world.Settings, params[domain], domain), SEED, "ift", count, set())
    renderer = read_renderer(base, build(Prompts, params["prompts"], "prompts"))
    exact = [Solution(row.problem_id, row.prompt, tuple(split(lines.by_line(row.solution)))) for row in drawn]
    settings = build(Training, params["sft"] | {"batch_size": 16, "epochs": 1}, "sft")
    rows = [solution_row(renderer, row) for row in exact]
    train_supervised(base, rows, settings, machine.load().training, SEED, folder)
    return folder


def answered(params: dict[str, Any], folder: Path, model: Path, problems: Path) -> dict[str, list[Answered]]:
    """Greedy answers and samples of a model, by the stage `evaluate`."""
    folder.mkdir()
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    stats = folder / "evaluation.json"
    staged("evaluate", folder, "m0", model=model, problems=problems, answers=folder / "answers", stats=stats)
    return {name: files.read(folder / f"answers/{name}.parquet", Answered) for name in ("answers", "samples")}


def with_all(rows: Sequence[Answered]) -> dict[str, Sequence[Answered]]:
    """Rows of each split, and of all together."""
    return {**grouped(rows, lambda row: row.split), "all": rows}


def accuracies(rows: Sequence[Answered]) -> dict[str, dict[str, float]]:
    """Share of right answers by split and of all, with standard errors."""
    return {split: named("accuracy", proportion(right(part))) for split, part in with_all(rows).items()}


def at_least_one(rows: Sequence[Answered]) -> dict[str, float]:
    """Share of problems with a right sample."""
    solved = [any(right(part)) for part in grouped(rows, lambda row: row.problem_id).values()]
    return named("share", proportion(solved))


def main() -> None:
    """Measure each run's base model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of finished runs")
    parser.add_argument("--solutions", type=int, default=5000, help="exact ones to train on")
    parser.add_argument("--problems", type=int, default=100, help="of each split, for the samples")
    options = parser.parse_args()
    for run in options.runs:
        measured = ceiling(run, options.solutions, options.problems)
        files.write_json(run / "reports/ceiling.json", measured)
        print(run, measured, flush=True)


if __name__ == "__main__":
    main()
