"""Diagnostic: what the oracle says, after the fact, of a model's own candidates, verdicts and pairs."""

from pipeline.core import files
from pipeline.core.command import arguments, run
from pipeline.core.records import Tree
from pipeline.domains.arithmetic import gates


def main() -> None:
    args = arguments(__doc__, reads=["trees"], writes=["stats"])
    files.write_json(args.stats, gates.on_policy(files.read(args.trees / "trees.parquet", Tree)))


if __name__ == "__main__":
    run(main)
