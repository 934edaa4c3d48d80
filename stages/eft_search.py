"""Monte-Carlo tree search on the policy M0 with the PRM as value; the whole trees are kept."""

from pipeline.core import files, params, plan
from pipeline.core.command import arguments, run
from pipeline.core.records import Problem, SearchTree
from pipeline.inference import work
from pipeline.methods.psrlm import eft_search


def main() -> None:
    args = arguments(__doc__, reads=["policy", "prm", "problems"], writes=["trees", "stats"])
    settings = params.load(args.params, "eft_search", params.EftSearch)
    engine = params.load(args.params, "engine", params.Engine)
    family = params.load(args.params, "prompts", params.Prompts).family
    seed = plan.load(args.params).seed
    problems = files.read(args.problems, Problem)
    with work.results(
        "eft_search",
        {"policy": args.policy, "prm": args.prm},
        engine,
        lambda t: {p.problem_id: eft_search.grow(t, family, p, settings, seed) for p in problems},
        SearchTree,
        (settings, family, seed, args.problems),
        window=engine.window,
        too_long=eft_search.too_long,
    ) as trees:
        files.write(args.trees / "trees.parquet", SearchTree, trees.values())
        nodes = sum(len(tree.nodes) - 1 for tree in trees.values())
        files.write_json(args.stats, {"problems": len(trees), "nodes": nodes})


if __name__ == "__main__":
    run(main)
