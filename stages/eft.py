"""EFT data: pairs of a layer, filtered, annotated in both orders, split into train and test by problem."""

from pipeline import eft, files, params, plan
from pipeline.command import arguments, run
from pipeline.records import Dropped, JudgedPair, SearchTree
from pipeline.world import roles


def main() -> None:
    args = arguments(__doc__, reads=["trees"], writes=["pairs", "stats"])
    settings = params.load(args.params, "eft", params.Eft)
    layers = eft.layers(files.read(args.trees / "trees.parquet", SearchTree))
    kept, dropped = eft.judged_pairs(layers, roles.annotate, settings)
    train, test, surplus = eft.split(kept, settings.test_pairs, plan.load(args.params).seed)
    files.write(args.pairs / "train.parquet", JudgedPair, train)
    files.write(args.pairs / "test.parquet", JudgedPair, test)
    files.write(args.pairs / "dropped.parquet", Dropped, [*dropped, *surplus])
    reasons = files.counts([row.reason for row in [*dropped, *surplus]])
    statistics = {"layers": len(layers), "train_rows": len(train), "test_rows": len(test), "dropped": reasons}
    files.write_json(args.stats, statistics)


if __name__ == "__main__":
    run(main)
