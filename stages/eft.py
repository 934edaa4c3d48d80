"""A method's EFT data: what its search gave, annotated, split into train and test by problem."""

from pipeline import domains, methods
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.products import Shares, require_share, require_splits
from pipeline.core.records import Dropped, Problem
from pipeline.data import ratings
from pipeline.data.settings import Problems, Source
from pipeline.inference import annotator
from pipeline.inference.settings import Annotator


def main(stage: Stage) -> None:
    method = methods.part(stage, stage.key, "eft")
    settings = stage.section(f"{stage.key}.eft", method.Eft)
    allowed = {problem.prompt for problem in files.read(stage.ratings, Problem)}
    people = stage.section("problems", Problems).ratings
    rated = ratings.read(Source(path=people), allowed) if people else []
    annotation = method.Annotation(stage.trees, settings, rated)
    shares = stage.section("shares", Shares)
    require_share(stage.name, shares, "layers", *annotation.problems)
    who = stage.section("annotator", Annotator)
    if who.kind == "oracle":
        answers = annotator.Texts(annotation.by_oracle(domains.part(stage, "oracle"), stage.family))
    else:
        answers = annotator.answers(stage, annotation.prompts(stage.family), who)
    train, test, dropped, statistics = annotation.rows(answers, answers.missing, stage.seed, shares)
    require_splits(stage.name, train, test, dropped)
    files.write(stage.eft / "train.parquet", method.Row, train)
    files.write(stage.eft / "test.parquet", method.Row, test)
    files.write(stage.dropped, Dropped, dropped)
    files.write_json(stage.stats, statistics)


if __name__ == "__main__":
    run(main, reads=["trees", "ratings"], writes=["eft", "dropped", "stats"])
