"""What a method's EFT data are annotated on: trees of a search with the PRM, or sampled whole solutions."""

from pipeline import domains, methods
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.products import Shares, require_shares
from pipeline.core.records import Problem
from pipeline.inference import work


def main(stage: Stage) -> None:
    method = methods.part(stage, stage.key, "eft_search")
    settings = stage.section(f"{stage.key}.eft_search", method.EftSearch)
    problems = files.read(stage.problems, Problem)
    rows = work.results(
        stage,
        method.models(stage.policy, stage.value),
        lambda r: method.tasks(r, problems, settings, stage.seed, stage.value),
        method.Row,
        depends_on=(settings, stage.seed, stage.problems),
        final=domains.part(stage, "final"),
        too_long=method.too_long,
    )
    files.write(stage.trees / method.FILE, method.Row, rows.values())
    files.write_json(stage.stats, statistics := method.statistics(list(rows.values())))
    require_shares(stage.name, stage.section("shares", Shares), statistics)


if __name__ == "__main__":
    run(main, reads=["policy", "value", "problems"], writes=["trees", "stats"])
