"""One round's training: step-wise DPO of the starting model, which is also the reference, on the round's pairs."""

from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.config import Prompts
from pipeline.core.records import Preference
from pipeline.training.common import write_beside
from pipeline.training.preference import train_preferences
from pipeline.training.settings import Dpo


def main(stage: Stage) -> None:
    settings = stage.section("dpo", Dpo, **stage.plan.override(stage.key, "dpo"))
    prompts, here = stage.section("prompts", Prompts), stage.machine.training
    rows = files.read(stage.pairs / "train.parquet", Preference)
    trained = train_preferences(stage.start, rows, prompts, settings, here, stage.seed, stage.model)
    write_beside(stage, trained.statistics, trained.outcome.curve, trained.dropped)


if __name__ == "__main__":
    run(main, reads=["start", "pairs"], writes=["model", "dropped", "curve", "stats"])
