"""Accuracy of a model behind an OpenAI-compatible endpoint on the held-out problems, measured as ours is."""

from pipeline import evaluate, files, params, reference
from pipeline.command import arguments, run
from pipeline.records import Answered, Problem


def main() -> None:
    args = arguments(__doc__, reads=["problems"], writes=["answers", "stats"])
    average = params.load(args.params, "evaluate", params.Evaluate).average
    family = params.load(args.params, "prompts", params.Prompts).family
    settings = params.load(args.params, "reference", params.Reference)
    problems = files.read(args.problems, Problem)
    drawn = evaluate.draws(problems, average)
    found = reference.solutions(args.key, settings, family, problems, drawn, average.sampling)
    rows, samples = evaluate.graded(problems, drawn, found)
    files.write(args.answers / "answers.parquet", Answered, rows)
    files.write(args.answers / "samples.parquet", Answered, samples)
    files.write_json(args.stats, evaluate.accuracy(rows, samples))


if __name__ == "__main__":
    run(main)
