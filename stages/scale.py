"""Test-time scaling: step search on held-out problems, beside a majority vote at equal tokens and greedy answers."""

from pipeline import domains
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.records import Answered, Problem, Tree
from pipeline.domains.graders.pool import Graders
from pipeline.evaluation import evaluate, scale
from pipeline.evaluation.settings import Scale
from pipeline.inference import work
from pipeline.methods.psrlm import search


def main(stage: Stage) -> None:
    how, seed = stage.section("scale", Scale), stage.seed
    final, grading = domains.part(stage, "final"), domains.part(stage, "grading")
    problems = scale.first_of_each_split(files.read(stage.problems, Problem), how.problems)
    trials = work.results(
        stage,
        {"policy": stage.model},
        lambda r: scale.trials(r, problems, lambda p: search.search(r, p, how.search, seed), how.sampling, seed),
        scale.Trial,
        depends_on=(how, seed, stage.problems),
        final=final,
        too_long=lambda trial: search.too_long(trial.tree),
    )
    trees = [trial.tree for trial in trials.values()]
    with Graders(grading) as graders:
        searched = scale.search_answers(problems, trees, final, graders)
        votes = evaluate.answered(*scale.solutions(problems, trials), final, graders)
        alike = {problem.problem_id: graders.alike(problem) for problem in problems}
    greedy = files.read(stage.greedy / "answers.parquet", Answered)
    files.write(stage.trees / "trees.parquet", Tree, trees)
    files.write(stage.trees / "votes.parquet", Answered, votes)
    files.write_json(stage.stats, scale.comparison(trees, searched, votes, greedy, alike))


if __name__ == "__main__":
    run(main, reads=["model", "problems", "greedy"], writes=["trees", "stats"])
