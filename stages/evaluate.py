"""Greedy accuracy of one model on the held-out problems, by split and pooled, with standard errors."""

from pipeline import evaluate, files, params, work
from pipeline.answers import Grader
from pipeline.command import arguments, run
from pipeline.engine import Completion
from pipeline.records import Answered, Problem


def main() -> None:
    args = arguments(__doc__, reads=["model", "problems"], writes=["answers", "stats"])
    settings = params.load(args.params, "evaluate", params.Evaluate)
    engine = params.load(args.params, "engine", params.Engine)
    family = params.load(args.params, "prompts", params.Prompts).family
    problems = files.read(args.problems, Problem)
    with work.results(
        "evaluate",
        {"policy": args.model},
        engine,
        lambda t: {p.problem_id: evaluate.solve(t, family, p, settings) for p in problems},
        Completion,
        (settings, family, args.problems),
        window=engine.window,
        too_long=evaluate.too_long,
    ) as completions:
        with Grader() as grader:
            rows = evaluate.answered(problems, list(completions.values()), grader)
        files.write(args.answers / "answers.parquet", Answered, rows)
        files.write_json(args.stats, evaluate.accuracy(rows))


if __name__ == "__main__":
    run(main)
