"""Diagnostic: a model's own step searches of the held-out problems against its greedy answers to them."""

from pipeline.core import files
from pipeline.core.command import arguments, run
from pipeline.core.records import Answered, Problem, Tree
from pipeline.domains.math import Grader
from pipeline.evaluation import scale


def main() -> None:
    args = arguments(__doc__, reads=["problems", "trees", "greedy"], writes=["stats"])
    problems, trees = files.read(args.problems, Problem), files.read(args.trees / "trees.parquet", Tree)
    with Grader() as grader:
        searched = scale.search_answers(problems, trees, grader)
    greedy = files.read(args.greedy / "answers.parquet", Answered)
    files.write_json(args.stats, scale.against_greedy(searched, greedy))


if __name__ == "__main__":
    run(main)
