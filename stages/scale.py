"""Test-time scaling: step search on held-out problems, beside a majority vote at equal tokens and greedy answers."""

from pipeline.core import files, params, plan
from pipeline.core.command import arguments, run
from pipeline.core.records import Answered, Problem, Tree
from pipeline.domains.math import Grader
from pipeline.evaluation import evaluate, scale
from pipeline.inference import work
from pipeline.methods.psrlm import search


def main() -> None:
    args = arguments(__doc__, reads=["model", "problems", "greedy"], writes=["trees", "stats"])
    chosen = params.load(args.params, "scale", params.Scale)
    engine = params.load(args.params, "engine", params.Engine)
    family = params.load(args.params, "prompts", params.Prompts).family
    seed = plan.load(args.params).seed
    problems = scale.first_of_each_split(files.read(args.problems, Problem), chosen.problems)
    with work.results(
        "scale",
        {"policy": args.model},
        engine,
        lambda t: scale.trials(
            t, family, problems, lambda p: search.search(t, family, p, chosen.search, seed), chosen.sampling, seed
        ),
        scale.Trial,
        (chosen, family, seed, args.problems),
        window=engine.window,
        too_long=lambda trial: search.too_long(trial.tree),
    ) as trials:
        trees = [trial.tree for trial in trials.values()]
        with Grader() as grader:
            searched = scale.search_answers(problems, trees, grader)
            votes = evaluate.answered(*scale.solutions(problems, trials), grader)
        greedy = files.read(args.greedy / "answers.parquet", Answered)
        files.write(args.trees / "trees.parquet", Tree, trees)
        files.write(args.trees / "votes.parquet", Answered, votes)
        files.write_json(args.stats, scale.comparison(trees, searched, votes, greedy))


if __name__ == "__main__":
    run(main)
