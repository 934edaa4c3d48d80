"""Figure 2: prompts and responses of one method's IFT, EFT and PPD data on a plane."""

from pipeline import methods
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.records import Solution, Text
from pipeline.report import embedding, excerpt
from pipeline.report.settings import Report


def main(stage: Stage) -> None:
    settings = stage.section("report", Report)
    texts = excerpt.texts_of_solutions(files.read(stage.ift / "train.parquet", Solution))
    method = methods.part(stage, settings.method, "rows")
    texts += [method.text(row) for row in files.read(stage.eft / "train.parquet", method.Row)]
    for model in stage.plan.rounds:
        if stage.plan.method(model) == settings.method:
            texts += files.read(stage.excerpts / model / "texts.parquet", Text)
    points, statistics = embedding.figure(excerpt.balanced(texts, settings.points), settings.embedder, stage.seed)
    embedding.write(points, stage.points)
    files.write_json(stage.stats, statistics)


if __name__ == "__main__":
    run(main, reads=["ift", "eft", "excerpts"], writes=["points", "stats"])
