"""Diagnostic: the problems whose EFT pairs were held out, so that a judge is measured where it was not trained."""

from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.records import JudgedPair, Problem


def main(stage: Stage) -> None:
    held_out = {pair.problem_id for pair in files.read(stage.pairs / "test.parquet", JudgedPair)}
    rows = [problem for problem in files.read(stage.problems, Problem) if problem.problem_id in held_out]
    files.write(stage.selected, Problem, rows)


if __name__ == "__main__":
    run(main, reads=["problems", "pairs"], writes=["selected"])
