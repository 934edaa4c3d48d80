"""Variant `agreement`: the pairs of a round on which the judge and the implicit DPO reward agree."""

from pipeline.core import files, params
from pipeline.core.command import arguments, run
from pipeline.core.records import Dropped, Preference
from pipeline.methods.psrlm import pairs
from pipeline.training import implicit_margins


def main() -> None:
    args = arguments(__doc__, reads=["policy", "second", "trees", "found"], writes=["pairs", "stats"])
    family = params.load(args.params, "prompts", params.Prompts).family
    training = params.load(args.params, "dpo", params.Dpo).training
    rows = files.read(args.found / "train.parquet", Preference)
    margins = implicit_margins(args.policy, args.second, rows, family, training)
    kept, dropped = pairs.agreeing(rows, margins, args.key)
    files.write(args.pairs / "train.parquet", Preference, kept)
    files.write(args.pairs / "dropped.parquet", Dropped, dropped)
    files.write_json(args.stats, pairs.statistics(kept, dropped))


if __name__ == "__main__":
    run(main)
