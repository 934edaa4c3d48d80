"""Preference pairs of one round from its search; whatever gave no pair is kept with its reason.

One line says where the round may learn from noise.
"""

import sys

from pipeline import methods
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.products import Shares
from pipeline.methods import alarm, preferences


def main(stage: Stage) -> None:
    name = stage.plan.method(stage.key)
    method = methods.part(stage, name, "pairs")
    settings = stage.section(f"{name}.pairs", method.Pairs, **stage.plan.override(stage.key, "pairs"))
    rows, shares = method.preferences(stage.trees, settings, stage.key), stage.section("shares", Shares)
    made = preferences.write(stage.name, rows, stage.pairs, stage.dropped, shares)
    searched = files.read_json(stage.searched)
    noise = alarm.line(stage.section("alarm", alarm.Alarm), searched, made["pairs"])
    cost = preferences.cost_of_a_pair(searched, made["pairs"])
    files.write_json(stage.stats, {**made, **cost, "alarm": noise})
    if noise:
        print(f"{stage.name}: {stage.key} may learn from noise: {noise}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    run(main, reads=["trees", "searched"], writes=["pairs", "dropped", "stats"])
