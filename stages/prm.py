"""The process reward model: M0 trained to predict a step's label."""

from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.records import Dropped, LabelledSolution
from pipeline.methods.psrlm import prm
from pipeline.training.common import read_renderer, write_curve
from pipeline.training.settings import Training
from pipeline.training.supervised import train_supervised


def main(stage: Stage) -> None:
    renderer = read_renderer(stage, stage.policy)
    rows = [prm.training_row(renderer, row) for row in files.read(stage.steps / "train.parquet", LabelledSolution)]
    settings, here = stage.section("prm", Training), stage.machine.training
    trained = train_supervised(stage.policy, rows, settings, here, stage.seed, stage.model)
    files.write(stage.dropped, Dropped, trained.dropped)
    write_curve(stage.curve, trained.outcome.curve)
    files.write_json(stage.stats, trained.statistics)


if __name__ == "__main__":
    run(main, reads=["policy", "steps"], writes=["model", "dropped", "curve", "stats"])
