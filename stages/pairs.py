"""Preference pairs of one round from its search; whatever gave no pair is kept with its reason."""

from pipeline import methods
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.products import Shares
from pipeline.methods import preferences


def main(stage: Stage) -> None:
    name = stage.plan.method(stage.key)
    method = methods.part(stage, name, "pairs")
    settings = stage.section(f"{name}.pairs", method.Pairs, **stage.plan.override(stage.key, "pairs"))
    found = method.preferences(stage.trees, settings, stage.key)
    shares = stage.section("shares", Shares)
    made = preferences.write(stage.name, found, stage.pairs, stage.dropped, shares)
    files.write_json(stage.stats, made | preferences.cost_of_a_pair(files.read_json(stage.searched), made["pairs"]))


if __name__ == "__main__":
    run(main, reads=["trees", "searched"], writes=["pairs", "dropped", "stats"])
