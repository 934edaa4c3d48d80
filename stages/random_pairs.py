"""Diagnostic: a round's pairs, a random half of them turned round: what is left of them without the judge's choice."""

from pipeline.core import files, plan
from pipeline.core.command import arguments, run
from pipeline.core.records import Preference
from pipeline.domains.arithmetic import gates
from pipeline.methods.psrlm import pairs


def main() -> None:
    args = arguments(__doc__, reads=["judged"], writes=["pairs", "stats"])
    judged = files.read(args.judged / "train.parquet", Preference)
    turned = gates.turned_at_random(judged, plan.load(args.params).seed)
    files.write(args.pairs / "train.parquet", Preference, turned)
    files.write_json(args.stats, pairs.statistics(turned, []))


if __name__ == "__main__":
    run(main)
