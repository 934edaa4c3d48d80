"""Labelled steps for the process reward model, by the oracle or by people; every tenth problem is held out."""

from pipeline import domains
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.records import LabelledSolution, Problem
from pipeline.data import ratings, sources
from pipeline.data.settings import Problems


def main(stage: Stage) -> None:
    settings = stage.section("problems", Problems)
    source = sources.known(settings.prm)
    problems = files.read(stage.problems, Problem)
    if source.format == "prm800k":
        rows = ratings.labelled(ratings.read(source, {p.prompt for p in problems}), neutral=settings.neutral)
    else:
        domain = stage.section(stage.plan.domain, domains.part(stage, "settings").Settings)
        rows = domains.part(stage, "oracle").labelled(problems, domain, stage.seed)
    held_out = set(list(dict.fromkeys(row.problem_id for row in rows))[::10])
    files.write(stage.steps / "train.parquet", LabelledSolution, [r for r in rows if r.problem_id not in held_out])
    files.write(stage.steps / "test.parquet", LabelledSolution, [r for r in rows if r.problem_id in held_out])
    labels = [label for row in rows for label in row.labels]
    statistics = {
        "problems": len(problems),
        "solutions": len(rows),
        "steps": len(labels),
        "content": files.content(rows),
    }
    files.write_json(stage.stats, statistics | {"right": sum(labels) / len(labels)})


if __name__ == "__main__":
    run(main, reads=["problems"], writes=["steps", "stats"])
