"""Diagnostic: a model judges the layers of held-out Monte-Carlo trees, to compare its pairs with the PRM's."""

from pipeline.core import files, params, plan
from pipeline.core.command import arguments, run
from pipeline.core.records import Problem, SearchTree
from pipeline.domains.arithmetic import gates
from pipeline.inference import work
from pipeline.methods.psrlm import judge


def main() -> None:
    args = arguments(__doc__, reads=["policy", "problems", "trees"], writes=["stats"])
    everything = plan.load(args.params)
    settings = params.load(args.params, "search", params.Search).judge
    margin = params.load(args.params, "eft", params.Eft).margin
    engine = params.load(args.params, "engine", params.Engine)
    family = params.load(args.params, "prompts", params.Prompts).family
    held_out = {problem.problem_id for problem in files.read(args.problems, Problem)}
    trees = files.read(args.trees / "trees.parquet", SearchTree)
    layers = gates.layers(tree for tree in trees if tree.problem_id in held_out)
    with work.results(
        "layer_judging",
        {"policy": args.policy},
        engine,
        lambda t: {
            x.key: judge.rank(t, family, x.prompt, x.steps, x.candidates, settings, everything.seed) for x in layers
        },
        judge.Ranking,
        (settings, family, everything.seed, args.trees, args.problems),
        window=engine.window,
    ) as rankings:
        files.write_json(args.stats, gates.pair_precision(layers, rankings, margin))


if __name__ == "__main__":
    run(main)
