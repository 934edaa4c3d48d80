"""Preference pairs of one round from its search trees; every state without a pair is kept with its reason."""

from pipeline import files, pairs, params, plan
from pipeline.command import arguments, run
from pipeline.records import Dropped, Preference, Tree


def main() -> None:
    args = arguments(__doc__, reads=["trees"], writes=["pairs", "stats"])
    settings = params.load(args.params, "pairs", params.Pairs, plan.load(args.params).override(args.key, "pairs"))
    kept, dropped = pairs.preferences(files.read(args.trees / "trees.parquet", Tree), settings, args.key)
    files.write(args.pairs / "train.parquet", Preference, kept)
    files.write(args.pairs / "dropped.parquet", Dropped, dropped)
    files.write_json(args.stats, pairs.statistics(kept, dropped))


if __name__ == "__main__":
    run(main)
