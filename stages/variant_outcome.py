"""Variant `outcome`: pairs of whole solutions from the step pairs of a round's search."""

from pipeline.core import files, params
from pipeline.core.command import arguments, run
from pipeline.core.records import Dropped, Preference, Tree
from pipeline.inference import Completion, work
from pipeline.methods.pairings import outcome
from pipeline.methods.psrlm import pairs


def main() -> None:
    args = arguments(__doc__, reads=["policy", "second", "trees", "found"], writes=["pairs", "stats"])
    engine = params.load(args.params, "engine", params.Engine)
    family = params.load(args.params, "prompts", params.Prompts).family
    cap = params.load(args.params, "evaluate", params.Evaluate).max_tokens
    rows = files.read(args.found / "train.parquet", Preference)
    trees = files.read(args.trees / "trees.parquet", Tree)
    with work.results(
        "variant_outcome",
        {"policy": args.second},
        engine,
        lambda t: outcome.completions(t, family, rows, cap),
        Completion,
        (family, cap, args.found),
        window=engine.window,
    ) as completed:
        kept, dropped = outcome.preferences(rows, trees, completed, args.key)
        files.write(args.pairs / "train.parquet", Preference, kept)
        files.write(args.pairs / "dropped.parquet", Dropped, dropped)
        files.write_json(args.stats, pairs.statistics(kept, dropped))


if __name__ == "__main__":
    run(main)
