"""Diagnostic: a model judges the layers of held-out Monte-Carlo trees, to compare its pairs with the PRM's."""

from pipeline import domains
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.records import Problem, SearchTree
from pipeline.evaluation import gates
from pipeline.inference import work
from pipeline.methods.psrlm import judge
from pipeline.methods.psrlm.settings import Eft, Search


def main(stage: Stage) -> None:
    settings = stage.section("psrlm.search", Search).judge.model_copy(update={"full": 1.0})
    margin = stage.section("psrlm.eft", Eft).margin
    held_out = {problem.problem_id for problem in files.read(stage.problems, Problem)}
    trees = files.read(stage.trees / "trees.parquet", SearchTree)
    layers = gates.layers(tree for tree in trees if tree.problem_id in held_out)
    rankings = work.results(
        stage,
        {"policy": stage.policy},
        lambda r: {x.key: judge.rank(r, x.prompt, x.steps, x.candidates, settings, stage.seed) for x in layers},
        judge.Ranking,
        depends_on=(settings, stage.seed, stage.trees, stage.problems),
    )
    files.write_json(stage.stats, gates.pair_precision(domains.part(stage, "oracle"), layers, rankings, margin))


if __name__ == "__main__":
    run(main, reads=["policy", "problems", "trees"], writes=["stats"])
