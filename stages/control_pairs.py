"""Diagnostic: preference pairs of a round's states labelled by the oracle, as an upper bound for the judge's own."""

from pipeline.core import files
from pipeline.core.command import arguments, run
from pipeline.core.records import Dropped, Preference, Tree
from pipeline.domains.arithmetic import gates
from pipeline.methods.psrlm import pairs


def main() -> None:
    args = arguments(__doc__, reads=["trees"], writes=["pairs", "stats"])
    kept, dropped = gates.control_pairs(files.read(args.trees / "trees.parquet", Tree))
    files.write(args.pairs / "train.parquet", Preference, kept)
    files.write(args.pairs / "dropped.parquet", Dropped, dropped)
    files.write_json(args.stats, pairs.statistics(kept, dropped))


if __name__ == "__main__":
    run(main)
