"""The process reward model measured on held-out steps."""

from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.records import LabelledSolution
from pipeline.inference import work
from pipeline.methods.psrlm import prm, published


def main(stage: Stage) -> None:
    test = files.read(stage.steps / "test.parquet", LabelledSolution)
    models = {"policy": stage.model}
    ask = published.asker(stage.model)
    ratings = work.results(stage, models, lambda r: prm.rating_tasks(r, test, ask), prm.Rating, [test])
    labels = [label for row in test for label in row.labels]
    files.write_json(stage.stats, prm.quality([rating.plus for rating in ratings.values()], labels))


if __name__ == "__main__":
    run(main, reads=["model", "steps"], writes=["stats"])
