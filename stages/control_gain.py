"""Diagnostic: the greedy accuracy of a control against that of M1 (`greedy`) on the same problems, paired."""

from pipeline.core import files
from pipeline.core.command import arguments, run
from pipeline.core.records import Answered
from pipeline.evaluation import scale


def main() -> None:
    args = arguments(__doc__, reads=["before", "after"], writes=["stats"])
    before, after = (files.read(folder / "answers.parquet", Answered) for folder in (args.before, args.after))
    files.write_json(args.stats, scale.against_greedy(after, before))


if __name__ == "__main__":
    run(main)
