"""Variant `cream`: the pairs of a round, weighted by how far the judge before ranks their states alike."""

from pipeline.core import files, params, plan
from pipeline.core.command import arguments, run
from pipeline.core.records import Dropped, Preference, SecondRanking, Tree
from pipeline.inference import work
from pipeline.methods.pairings import cream
from pipeline.methods.psrlm import pairs


def main() -> None:
    args = arguments(__doc__, reads=["policy", "second", "trees", "found"], writes=["pairs", "stats"])
    everything = plan.load(args.params)
    searched = everything.override(everything.variants[args.key]["of"], "search")
    judge = params.load(args.params, "search", params.Search, searched).judge
    engine = params.load(args.params, "engine", params.Engine)
    family = params.load(args.params, "prompts", params.Prompts).family
    rows = files.read(args.found / "train.parquet", Preference)
    trees = files.read(args.trees / "trees.parquet", Tree)
    with work.results(
        "variant_cream",
        {"policy": args.second},
        engine,
        lambda t: cream.second_rankings(t, family, rows, trees, judge, everything.seed),
        SecondRanking,
        (family, judge, everything.seed, args.found, args.trees),
        window=engine.window,
    ) as rankings:
        kept = cream.weighted(rows, rankings, args.key)
        files.write(args.pairs / "train.parquet", Preference, kept)
        files.write(args.pairs / "rankings.parquet", SecondRanking, rankings.values())
        files.write(args.pairs / "dropped.parquet", Dropped, [])
        files.write_json(args.stats, pairs.statistics(kept, []) | cream.statistics(rankings))


if __name__ == "__main__":
    run(main)
