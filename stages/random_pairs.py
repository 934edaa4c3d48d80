"""Diagnostic: a round's pairs, a random half of them turned round: what is left of them without the judge's choice."""

from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.records import Preference
from pipeline.evaluation import gates
from pipeline.methods import preferences


def main(stage: Stage) -> None:
    turned = gates.turned_at_random(files.read(stage.judged / "train.parquet", Preference), stage.seed)
    files.write(stage.pairs / "train.parquet", Preference, turned)
    files.write_json(stage.stats, preferences.statistics(turned))


if __name__ == "__main__":
    run(main, reads=["judged"], writes=["pairs", "stats"])
