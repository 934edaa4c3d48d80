"""Diagnostic: a model's own step searches of the held-out problems against its greedy answers to them."""

from pipeline import domains
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.records import Answered, Problem, Tree
from pipeline.domains.graders.pool import Graders
from pipeline.evaluation import scale


def main(stage: Stage) -> None:
    final, grading = domains.part(stage, "final"), domains.part(stage, "grading")
    problems, trees = files.read(stage.problems, Problem), files.read(stage.trees / "trees.parquet", Tree)
    with Graders(grading) as graders:
        searched = scale.search_answers(problems, trees, final, graders)
    greedy = files.read(stage.greedy / "answers.parquet", Answered)
    files.write_json(stage.stats, scale.against_greedy(searched, greedy))


if __name__ == "__main__":
    run(main, reads=["problems", "trees", "greedy"], writes=["stats"])
