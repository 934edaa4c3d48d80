"""Search of one round: the policy samples next steps, or whole solutions, and judges them itself."""

from typing import Any

from pipeline.core import files, params, plan
from pipeline.core.command import arguments, run
from pipeline.core.records import Problem, SampleSet, Tree
from pipeline.inference import work
from pipeline.methods.psrlm import search
from pipeline.methods.srlm import solutions

METHODS: dict[str, tuple[Any, str, type, type, str]] = {
    "psrlm": (search, "search", params.Search, Tree, "trees.parquet"),
    "srlm": (solutions, "solutions", params.SolutionSearch, SampleSet, "solutions.parquet"),
}


def main() -> None:
    args = arguments(__doc__, reads=["policy", "problems"], writes=["trees", "stats"])
    everything = plan.load(args.params)
    room, section, kind, row_type, name = METHODS[everything.method(args.key)]
    settings: Any = params.load(args.params, section, kind, everything.override(args.key, section))
    engine = params.load(args.params, "engine", params.Engine)
    family = params.load(args.params, "prompts", params.Prompts).family
    problems = files.read(args.problems, Problem)
    with work.results(
        "search",
        {"policy": args.policy},
        engine,
        lambda t: {p.problem_id: room.search(t, family, p, settings, everything.seed) for p in problems},
        row_type,
        (settings, family, everything.seed, args.problems),
        window=engine.window,
        too_long=room.too_long,
    ) as found:
        files.write(args.trees / name, row_type, found.values())
        files.write_json(args.stats, room.statistics(list(found.values())))


if __name__ == "__main__":
    run(main)
