"""Accuracy of one model on the held-out problems, by split and pooled: greedy, and avg@k where params ask for it.

Without `--model` it is the model of the endpoint of section `reference` whose name is the key.
"""

from pipeline import domains
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.records import Problem
from pipeline.evaluation import evaluate, reference
from pipeline.inference import work
from pipeline.inference.requests import Completion
from pipeline.inference.settings import Evaluate, Reference


def main(stage: Stage) -> None:
    settings = stage.section("evaluate", Evaluate)
    problems = files.read(stage.problems, Problem)
    drawn = evaluate.draws(problems, settings.average)
    final, grading = domains.part(stage, "final"), domains.part(stage, "grading")
    if stage.model is None:
        there = stage.section("reference", Reference)
        solutions = reference.solutions(stage, there, problems, drawn, settings.average.sampling)
    else:
        solutions = work.results(
            stage,
            {"policy": stage.model},
            lambda r: evaluate.tasks(r, problems, drawn, settings, stage.seed),
            Completion,
            depends_on=(settings, stage.seed, stage.problems),
            final=final,
            too_long=evaluate.too_long,
        )
    evaluate.write(problems, drawn, solutions, (final, grading), stage.answers, stage.stats)


if __name__ == "__main__":
    run(main, reads=["model?", "problems"], writes=["answers", "stats"])
