"""Labelled steps for the process reward model: the world's oracle or human ratings; every tenth problem is held out."""

from pipeline.core import files, params, plan
from pipeline.core.command import arguments, run
from pipeline.core.records import LabelledSolution, Problem
from pipeline.data import ratings, sources
from pipeline.domains.arithmetic import roles


def main() -> None:
    args = arguments(__doc__, reads=["problems"], writes=["steps", "stats"])
    settings = params.load(args.params, "problems", params.Problems)
    source = sources.known(settings.prm)
    problems = files.read(args.problems, Problem)
    if source.format == "prm800k":
        rows = ratings.labelled(ratings.read(source, {p.prompt for p in problems}), neutral=settings.neutral)
    else:
        world = params.load(args.params, "world", params.World)
        rows = roles.labelled(problems, plan.load(args.params).seed, world.careless)
    held_out = set(list(dict.fromkeys(row.problem_id for row in rows))[::10])
    files.write(args.steps / "train.parquet", LabelledSolution, [r for r in rows if r.problem_id not in held_out])
    files.write(args.steps / "test.parquet", LabelledSolution, [r for r in rows if r.problem_id in held_out])
    labels = [label for row in rows for label in row.labels]
    statistics = {
        "problems": len(problems),
        "solutions": len(rows),
        "steps": len(labels),
        "content": files.content(rows),
    }
    files.write_json(args.stats, statistics | {"right": sum(labels) / len(labels)})


if __name__ == "__main__":
    run(main)
