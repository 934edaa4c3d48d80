"""Diagnostic: the problems whose EFT pairs were held out, so that a judge is measured where it was not trained."""

from pipeline.core import files
from pipeline.core.command import arguments, run
from pipeline.core.records import JudgedPair, Problem


def main() -> None:
    args = arguments(__doc__, reads=["problems", "pairs"], writes=["selected"])
    held_out = {pair.problem_id for pair in files.read(args.pairs / "test.parquet", JudgedPair)}
    rows = [problem for problem in files.read(args.problems, Problem) if problem.problem_id in held_out]
    files.write(args.selected, Problem, rows)


if __name__ == "__main__":
    run(main)
