"""What the report shows of a round: the diagnostics of its judge, and a sample of trees and pairs."""

from pipeline import methods
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.records import Preference, Text, Tree
from pipeline.methods import verdicts
from pipeline.report import excerpt
from pipeline.report.settings import Report


def main(stage: Stage) -> None:
    settings = stage.section("report", Report)
    method = methods.part(stage, stage.plan.method(stage.key), "inspect")
    texts = excerpt.texts_of_preferences(files.rows(stage.pairs / "train.parquet", Preference))
    shown = excerpt.by_hash(method.trees(stage.trees), lambda tree: tree.problem_id, settings.trees)
    files.write(stage.excerpt / "trees.parquet", Tree, shown)
    files.write(stage.excerpt / "texts.parquet", Text, excerpt.by_hash(texts, lambda text: text.key, settings.points))
    files.write_json(
        stage.stats, {"judge": stage.plan.start_of(stage.key), **verdicts.diagnostics(method.trees(stage.trees))}
    )


if __name__ == "__main__":
    run(main, reads=["trees", "pairs"], writes=["excerpt", "stats"])
