"""Diagnostic: preference pairs of a round's states labelled by the oracle, as an upper bound for the judge's own."""

from pipeline import domains
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.records import Preference, Tree
from pipeline.evaluation import gates
from pipeline.methods import preferences


def main(stage: Stage) -> None:
    trees = files.read(stage.trees / "trees.parquet", Tree)
    kept, dropped = gates.control_pairs(domains.part(stage, "oracle"), trees)
    files.write(stage.pairs / "train.parquet", Preference, kept)
    files.write_json(stage.stats, preferences.statistics([*kept, *dropped]))


if __name__ == "__main__":
    run(main, reads=["trees"], writes=["pairs", "stats"])
