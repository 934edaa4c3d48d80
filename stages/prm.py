"""The process reward model: M0 trained to predict a step's label, or one that is published."""

from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.config import Prompts
from pipeline.core.records import LabelledSolution
from pipeline.inference.settings import Inference
from pipeline.methods.psrlm import prm, published
from pipeline.training.adopt import adopt
from pipeline.training.common import read_renderer, write_beside
from pipeline.training.settings import Prm
from pipeline.training.supervised import train_supervised


def main(stage: Stage) -> None:
    settings, here = stage.section("prm", Prm), stage.machine.training
    if settings.published.model:
        longest = stage.section("inference", Inference).max_model_len
        adopt(settings.published.model, stage.model, longest, "prm.published.model")
        published.keep(settings.published, stage.model)
        write_beside(stage, {"published": settings.published.model}, [], [])
        return
    renderer = read_renderer(stage.policy, stage.section("prompts", Prompts))
    rows = [prm.training_row(renderer, row) for row in files.read(stage.steps / "train.parquet", LabelledSolution)]
    trained = train_supervised(stage.policy, rows, settings.training(), here, stage.seed, stage.model)
    write_beside(stage, trained.statistics, trained.outcome.curve, trained.dropped)


if __name__ == "__main__":
    run(main, reads=["policy", "steps"], writes=["model", "dropped", "curve", "stats"])
