"""A model as a judge on the held-out EFT rows of a method: accuracy, consistency, calibration."""

from pipeline import methods
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.evaluation.settings import Judge
from pipeline.inference import work


def main(stage: Stage) -> None:
    chosen = stage.section(f"judges.{stage.key}", Judge)
    method = methods.part(stage, chosen.method, "measure")
    settings = stage.section(f"{chosen.method}.search", method.Search)
    test = files.read(stage.eft / "test.parquet", method.Held)
    examples = files.read(stage.eft / "train.parquet", method.Held)[: chosen.shots]
    rows = work.results(
        stage,
        {"policy": stage.model},
        lambda r: {method.key(row): method.task(r, row, examples, settings, stage.seed) for row in test},
        method.Row,
        depends_on=(settings, stage.seed, test, examples),
    )
    files.write(stage.judgments / "judgments.parquet", method.Row, rows.values())
    files.write_json(stage.stats, {"shots": len(examples), **method.quality(list(rows.values()))})


if __name__ == "__main__":
    run(main, reads=["model", "eft"], writes=["judgments", "stats"])
