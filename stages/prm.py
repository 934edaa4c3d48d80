"""The process reward model: M0 trained to predict a step's label, measured on held-out steps."""

from dataclasses import asdict

from pipeline.core import files, params, plan
from pipeline.core.command import arguments, run
from pipeline.core.records import Dropped, LabelledSolution
from pipeline.inference import work
from pipeline.methods.psrlm import prm
from pipeline.training import read_tokenizer, train_supervised


def main() -> None:
    args = arguments(__doc__, reads=["policy", "steps"], writes=["model", "dropped", "stats"])
    settings = params.load(args.params, "prm", params.Training)
    family = params.load(args.params, "prompts", params.Prompts).family
    seed = plan.load(args.params).seed
    words = read_tokenizer(args.policy)
    train = files.read(args.steps / "train.parquet", LabelledSolution)
    test = files.read(args.steps / "test.parquet", LabelledSolution)
    rows = [prm.training_row(words, family, row) for row in train]
    statistics, dropped = train_supervised(args.policy, rows, settings, seed, args.model)
    files.write(args.dropped, Dropped, dropped)
    engine = params.load(args.params, "engine", params.Engine)
    with work.results(
        "prm",
        {"policy": args.model},
        engine,
        lambda t: prm.rating_tasks(t, family, test),
        prm.Rating,
        (test,),
        512,
    ) as ratings:
        labels = [label for row in test for label in row.labels]
        quality = prm.quality([rating.plus for rating in ratings.values()], labels)
        files.write_json(args.stats, {**statistics, **asdict(quality)})


if __name__ == "__main__":
    run(main)
