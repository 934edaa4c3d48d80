"""Labelled steps for the process reward model, from the world's oracle; every tenth problem is held out."""

from pipeline import files, params, plan
from pipeline.command import arguments, run
from pipeline.records import LabelledSolution, Problem
from pipeline.world import roles


def main() -> None:
    args = arguments(__doc__, reads=["problems"], writes=["steps", "stats"])
    world = params.load(args.params, "world", params.World)
    rows = roles.labelled(files.read(args.problems, Problem), plan.load(args.params).seed, world.careless)
    test, train = rows[::10], [row for index, row in enumerate(rows) if index % 10]
    files.write(args.steps / "train.parquet", LabelledSolution, train)
    files.write(args.steps / "test.parquet", LabelledSolution, test)
    labels = [label for row in rows for label in row.labels]
    statistics = {"solutions": len(rows), "steps": len(labels), "right": sum(labels) / len(labels)}
    files.write_json(args.stats, statistics)


if __name__ == "__main__":
    run(main)
