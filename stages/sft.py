"""M0 -> M1: supervised fine-tuning on IFT and the method's EFT rows, loss on completions only."""

from pipeline import methods
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.config import Prompts
from pipeline.core.records import Solution
from pipeline.training.common import read_renderer, write_beside
from pipeline.training.settings import Training
from pipeline.training.supervised import completion_row, solution_row, train_supervised


def main(stage: Stage) -> None:
    method = methods.part(stage, stage.plan.method(stage.key), "rows")
    renderer = read_renderer(stage.start, stage.section("prompts", Prompts))
    rows = [solution_row(renderer, row) for row in files.read(stage.ift / "train.parquet", Solution)]
    solved, judged = len(rows), files.read(stage.eft / "train.parquet", method.Row)
    rows += [completion_row(*method.token_ids(renderer, row)) for row in judged]
    settings, here = stage.section("sft", Training), stage.machine.training
    trained = train_supervised(stage.start, rows, settings, here, stage.seed, stage.model)
    statistics = {"ift": solved, "eft": len(judged), **trained.statistics}
    write_beside(stage, statistics, trained.outcome.curve, trained.dropped)


if __name__ == "__main__":
    run(main, reads=["start", "ift", "eft"], writes=["model", "dropped", "curve", "stats"])
