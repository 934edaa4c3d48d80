"""Accuracy of a model behind an OpenAI-compatible endpoint on the held-out problems, measured as ours is."""

from pipeline.core import files, params
from pipeline.core.command import arguments, run
from pipeline.core.records import Problem
from pipeline.evaluation import evaluate, reference


def main() -> None:
    args = arguments(__doc__, reads=["problems"], writes=["answers", "stats"])
    average = params.load(args.params, "evaluate", params.Evaluate).average
    family = params.load(args.params, "prompts", params.Prompts).family
    settings = params.load(args.params, "reference", params.Reference)
    problems = files.read(args.problems, Problem)
    drawn = evaluate.draws(problems, average)
    found = reference.solutions(args.key, settings, family, problems, drawn, average.sampling)
    evaluate.write(problems, drawn, found, args.answers, args.stats)


if __name__ == "__main__":
    run(main)
