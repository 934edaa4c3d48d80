"""What the report shows of a round: the diagnostics of its judge, a sample of trees and pairs, and all drops."""

from pipeline.core import files, params, plan
from pipeline.core.command import arguments, run
from pipeline.core.records import Dropped, Preference, Text, Tree
from pipeline.methods.psrlm import verdicts
from pipeline.report import excerpt


def main() -> None:
    args = arguments(__doc__, reads=["trees", "pairs", "dropped"], writes=["excerpt", "stats"])
    settings = params.load(args.params, "report", params.Report)
    everything = plan.load(args.params)
    stepwise = everything.method(args.key) == "psrlm"  # whole solutions have no tree and no pairwise verdicts
    trees = files.read(args.trees / "trees.parquet", Tree) if stepwise else []
    texts = excerpt.texts_of_preferences(files.read(args.pairs / "train.parquet", Preference))
    dropped = files.read(args.pairs / "dropped.parquet", Dropped) + files.read(args.dropped, Dropped)
    shown = excerpt.by_hash(trees, lambda tree: tree.problem_id, settings.trees)
    files.write(args.excerpt / "trees.parquet", Tree, shown)
    files.write(args.excerpt / "texts.parquet", Text, excerpt.by_hash(texts, lambda text: text.key, settings.points))
    files.write(args.excerpt / "dropped.parquet", Dropped, dropped)
    files.write_json(args.stats, {"judge": everything.start_of(args.key), **verdicts.diagnostics(trees)})


if __name__ == "__main__":
    run(main)
