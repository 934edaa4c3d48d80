"""Diagnostic: what the oracle says, after the fact, of a model's own candidates, verdicts and pairs."""

from pipeline import domains
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.records import Tree
from pipeline.evaluation import gates


def main(stage: Stage) -> None:
    trees = files.read(stage.trees / "trees.parquet", Tree)
    files.write_json(stage.stats, gates.on_policy(domains.part(stage, "oracle"), trees))


if __name__ == "__main__":
    run(main, reads=["trees"], writes=["stats"])
