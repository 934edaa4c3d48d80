"""Other preference pairs from the search of a round (outcome, agreement, cream)."""

from pipeline import domains
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.products import SEARCHED, require_some
from pipeline.core.records import Dropped, Preference
from pipeline.methods import pairings, preferences


def main(stage: Stage) -> None:
    pairing = pairings.part(stage, stage.plan.variants[stage.key].kind, "pairs")
    kept, dropped, more = pairing.pairs(stage, domains.part(stage, "final"))
    require_some(stage.name, kept, dropped, SEARCHED)
    files.write(stage.pairs / "train.parquet", Preference, kept)
    files.write(stage.dropped, Dropped, dropped)
    files.write_json(stage.stats, preferences.statistics(kept, dropped) | more)


if __name__ == "__main__":
    run(main, reads=["policy", "second", "trees", "found"], writes=["pairs", "dropped", "stats"])
