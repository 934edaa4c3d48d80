"""Preference pairs of one round from its search; whatever gave no pair is kept with its reason."""

from pipeline.core import files, params, plan
from pipeline.core.command import arguments, run
from pipeline.core.records import Dropped, Preference, SampleSet, Tree
from pipeline.methods.psrlm import pairs


def main() -> None:
    args = arguments(__doc__, reads=["trees"], writes=["pairs", "stats"])
    everything = plan.load(args.params)
    if everything.method(args.key) == "srlm":
        changed = everything.override(args.key, "solution_pairs")
        scores = params.load(args.params, "solution_pairs", params.SolutionPairs, changed)
        samples = files.read(args.trees / "solutions.parquet", SampleSet)
        kept, dropped = pairs.solution_preferences(samples, scores, args.key)
    else:
        wins = params.load(args.params, "pairs", params.Pairs, everything.override(args.key, "pairs"))
        kept, dropped = pairs.preferences(files.read(args.trees / "trees.parquet", Tree), wins, args.key)
    files.write(args.pairs / "train.parquet", Preference, kept)
    files.write(args.pairs / "dropped.parquet", Dropped, dropped)
    files.write_json(args.stats, pairs.statistics(kept, dropped))


if __name__ == "__main__":
    run(main)
