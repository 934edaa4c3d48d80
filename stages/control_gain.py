"""Diagnostic: the greedy accuracy of a control against that of M1 (`greedy`) on the same problems, paired."""

from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.records import Answered
from pipeline.evaluation import scale


def main(stage: Stage) -> None:
    before, after = (files.read(folder / "answers.parquet", Answered) for folder in (stage.before, stage.after))
    files.write_json(stage.stats, scale.against_greedy(after, before))


if __name__ == "__main__":
    run(main, reads=["before", "after"], writes=["stats"])
