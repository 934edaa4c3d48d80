"""One round's training: step-wise DPO of the starting model, which is also the reference, on the round's pairs."""

from pipeline.core import files, params, plan
from pipeline.core.command import arguments, run
from pipeline.core.records import Dropped, Preference
from pipeline.training import train_preferences


def main() -> None:
    args = arguments(__doc__, reads=["start", "pairs"], writes=["model", "dropped", "stats"])
    everything = plan.load(args.params)
    settings = params.load(args.params, "dpo", params.Dpo, everything.override(args.key, "dpo"))
    family = params.load(args.params, "prompts", params.Prompts).family
    rows = files.read(args.pairs / "train.parquet", Preference)
    statistics, dropped = train_preferences(args.start, rows, family, settings, everything.seed, args.model)
    files.write(args.dropped, Dropped, dropped)
    files.write_json(args.stats, statistics)


if __name__ == "__main__":
    run(main)
