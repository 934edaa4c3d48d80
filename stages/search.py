"""Step-wise search of one round: the policy samples next steps and judges them itself."""

from pipeline import files, params, plan, search, work
from pipeline.command import arguments, run
from pipeline.records import Problem, Tree


def main() -> None:
    args = arguments(__doc__, reads=["policy", "problems"], writes=["trees", "stats"])
    everything = plan.load(args.params)
    settings = params.load(args.params, "search", params.Search, everything.override(args.key, "search"))
    engine = params.load(args.params, "engine", params.Engine)
    family = params.load(args.params, "prompts", params.Prompts).family
    problems = files.read(args.problems, Problem)
    with work.results(
        "search",
        {"policy": args.policy},
        engine,
        lambda t: {p.problem_id: search.search(t, family, p, settings, everything.seed) for p in problems},
        Tree,
        (settings, family, everything.seed, args.problems),
        window=engine.window,
        too_long=search.too_long,
    ) as trees:
        files.write(args.trees / "trees.parquet", Tree, trees.values())
        files.write_json(args.stats, search.statistics(list(trees.values())))


if __name__ == "__main__":
    run(main)
