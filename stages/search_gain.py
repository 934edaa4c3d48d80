"""Diagnostic: a model's own step searches of all held-out problems, as `scale` has them, against its greedy answers."""

from pipeline import domains
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.records import Answered, Problem, Tree
from pipeline.domains.graders.pool import Graders
from pipeline.evaluation import scale
from pipeline.evaluation.settings import Scale
from pipeline.inference import work
from pipeline.methods.psrlm import search


def main(stage: Stage) -> None:
    how, seed = stage.section("scale", Scale), stage.seed
    final, grading = domains.part(stage, "final"), domains.part(stage, "grading")
    problems = files.read(stage.problems, Problem)
    trees = work.results(
        stage,
        {"policy": stage.model},
        lambda r: {p.problem_id: search.search(r, p, how.search, seed) for p in problems},
        Tree,
        depends_on=(how, seed, stage.problems),
        final=final,
        too_long=search.too_long,
    )
    with Graders(grading) as graders:
        searched = scale.search_answers(problems, list(trees.values()), final, graders)
    greedy = files.read(stage.greedy / "answers.parquet", Answered)
    files.write_json(stage.stats, scale.against_greedy(searched, greedy))


if __name__ == "__main__":
    run(main, reads=["model", "problems", "greedy"], writes=["stats"])
