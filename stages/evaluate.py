"""Accuracy of one model on the held-out problems, by split and pooled: greedy, and avg@k where params ask for it."""

from pipeline.core import files, params, plan
from pipeline.core.command import arguments, run
from pipeline.core.records import Problem
from pipeline.evaluation import evaluate
from pipeline.inference import Completion, work


def main() -> None:
    args = arguments(__doc__, reads=["model", "problems"], writes=["answers", "stats"])
    settings = params.load(args.params, "evaluate", params.Evaluate)
    engine = params.load(args.params, "engine", params.Engine)
    family = params.load(args.params, "prompts", params.Prompts).family
    seed = plan.load(args.params).seed
    problems = files.read(args.problems, Problem)
    drawn = evaluate.draws(problems, settings.average)
    with work.results(
        "evaluate",
        {"policy": args.model},
        engine,
        lambda t: evaluate.tasks(t, family, problems, drawn, settings, seed),
        Completion,
        (settings, family, seed, args.problems),
        window=engine.window,
        too_long=evaluate.too_long,
    ) as found:
        evaluate.write(problems, drawn, found, args.answers, args.stats)


if __name__ == "__main__":
    run(main)
