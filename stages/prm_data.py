"""Labelled steps for the process reward model, by people, the oracle or rollouts; every tenth problem is held out."""

from pipeline import domains
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.records import Dropped, LabelledSolution, Problem
from pipeline.data import labels, ratings, rollouts, sources
from pipeline.data.settings import Problems
from pipeline.domains.graders.pool import Graders
from pipeline.inference import work
from pipeline.training.settings import Prm


def main(stage: Stage) -> None:
    how, settings = stage.section("prm", Prm), stage.section("problems", Problems)
    problems, dropped, more = files.read(stage.problems, Problem), list[Dropped](), {}
    if how.labels == "people":
        source = sources.known(settings.prm)
        rows = ratings.labelled(ratings.read(source, {p.prompt for p in problems}), neutral=settings.neutral)
    elif how.labels == "oracle":
        domain = stage.section(stage.plan.domain, domains.part(stage, "settings").Settings)
        rows = domains.part(stage, "oracle").labelled(problems, domain, stage.seed)
    else:
        final, drawn = domains.part(stage, "final"), (how.rollouts, stage.seed)
        models, depends_on = {"policy": stage.policy}, (*drawn, stage.problems)
        rolled = work.results(
            stage, models, lambda r: rollouts.tasks(r, problems, final, *drawn), rollouts.RolledOut, depends_on, final
        )
        with Graders(domains.part(stage, "grading")) as graders:
            rows, estimates, dropped = rollouts.labelled(problems, rolled, graders, *drawn)
        files.write(stage.steps / "rollouts.parquet", rollouts.RolloutStep, estimates)
        more = rollouts.statistics(estimates)
    files.write_json(stage.stats, labels.statistics(problems, rows, dropped) | more)
    for name, part in labels.parted(rows).items():
        files.write(stage.steps / f"{name}.parquet", LabelledSolution, part)
    files.write(stage.dropped, Dropped, dropped)


if __name__ == "__main__":
    run(main, reads=["policy", "problems"], writes=["steps", "dropped", "stats"])
