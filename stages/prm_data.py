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
        final, asked = domains.part(stage, "final"), (how.rollouts, stage.seed)
        models, depends = {"policy": stage.policy}, (*asked, stage.problems)
        tasks = rollouts.tasks(problems, final, *asked)
        found = work.results(stage, models, tasks, rollouts.RolledOut, *depends, final=final)
        with Graders(domains.part(stage, "grading")) as graders:
            rows, estimates, dropped = rollouts.labelled(problems, found, graders, *asked)
        files.write(stage.steps / "rollouts.parquet", rollouts.RolloutStep, estimates)
        more = rollouts.statistics(estimates)
    files.write_json(stage.stats, labels.statistics(problems, rows, dropped) | more)
    train, test = labels.parted(rows)
    files.write(stage.steps / "train.parquet", LabelledSolution, train)
    files.write(stage.steps / "test.parquet", LabelledSolution, test)
    files.write(stage.dropped, Dropped, dropped)


if __name__ == "__main__":
    run(main, reads=["policy", "problems"], writes=["steps", "dropped", "stats"])
