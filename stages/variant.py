"""Other preference pairs from the search of a round."""

from pipeline import domains
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.methods import pairings, preferences


def main(stage: Stage) -> None:
    pairing = pairings.part(stage, stage.plan.variants[stage.key].kind, "pairs")
    kept, dropped, more = pairing.pairs(stage, domains.part(stage, "final"), domains.part(stage, "grading"))
    statistics = preferences.write(stage.name, [*kept, *dropped], stage.pairs, stage.dropped)
    files.write_json(stage.stats, statistics | more)


if __name__ == "__main__":
    run(main, reads=["policy", "second", "problems", "trees", "judged"], writes=["pairs", "dropped", "stats"])
