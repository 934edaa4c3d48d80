"""Search of one round: the policy samples next steps, or whole solutions, and judges them itself."""

from pipeline import domains, methods
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.products import Shares, require_shares
from pipeline.core.records import Problem
from pipeline.inference import work


def main(stage: Stage) -> None:
    name = stage.plan.method(stage.key)
    method = methods.part(stage, name, "search")
    settings = stage.section(f"{name}.search", method.Search, **stage.plan.override(stage.key, "search"))
    problems = files.read(stage.problems, Problem)
    rows = work.results(
        stage,
        {"policy": stage.policy},
        lambda r: {p.problem_id: method.search(r, p, settings, stage.seed) for p in problems},
        method.Row,
        depends_on=(settings, stage.seed, stage.problems),
        final=domains.part(stage, "final"),
        too_long=method.too_long,
    )
    files.write(stage.trees / method.FILE, method.Row, rows.values())
    files.write_json(stage.stats, statistics := method.statistics(list(rows.values())))
    require_shares(stage.name, stage.section("shares", Shares), statistics)


if __name__ == "__main__":
    run(main, reads=["policy", "problems"], writes=["trees", "stats"])
