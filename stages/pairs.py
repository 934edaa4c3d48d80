"""Preference pairs of one round from its search; whatever gave no pair is kept with its reason."""

from pipeline import methods
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.products import Shares, require_share
from pipeline.core.records import Dropped, Preference
from pipeline.methods import preferences


def main(stage: Stage) -> None:
    name = stage.plan.method(stage.key)
    method = methods.part(stage, name, "pairs")
    settings = stage.section(f"{name}.pairs", method.Pairs, **stage.plan.override(stage.key, "pairs"))
    kept, dropped = method.preferences(stage.trees, settings, stage.key)
    files.write(stage.pairs / "train.parquet", Preference, kept)
    files.write(stage.dropped, Dropped, dropped)
    files.write_json(stage.stats, statistics := preferences.statistics(kept, dropped))
    problems = {pair.problem_id for pair in kept} | {row.key.partition("/")[0] for row in dropped}
    shares, lost = stage.section("shares", Shares), statistics["dropped"]
    first = next(iter(dropped), None)
    require_share(stage.name, shares, "pairs", statistics["problems"], len(problems), lost, first)


if __name__ == "__main__":
    run(main, reads=["trees"], writes=["pairs", "dropped", "stats"])
