"""Problems by role: ift, prm, eft, one file for each round, and the held-out evaluation problems."""

from pipeline import files, params, plan
from pipeline.command import arguments, run
from pipeline.problems import from_file
from pipeline.records import Problem
from pipeline.world import roles


def main() -> None:
    args = arguments(__doc__, reads=[], writes=["problems", "stats"])
    settings = params.load(args.params, "problems", params.Problems)
    world = params.load(args.params, "world", params.World)
    everything = plan.load(args.params)
    held_out = roles.evaluation(world.seed, world.splits)
    forbidden, taken = roles.signatures(held_out), {problem.prompt for problem in held_out}

    def take(source: params.Source, role: str, split: str) -> list[Problem]:
        if source.path != "world":
            return from_file(source, role, split, everything.seed, taken)
        return roles.role(everything.seed, role, source.rows, forbidden, solved=role == "ift")

    written: dict[str, list[Problem]] = {"evaluation": []}
    for split, source in settings.evaluation.items():
        part = held_out if source.path == "world" else take(source, split, split)
        written["evaluation"] += part
    for role in ("ift", "prm", "eft"):
        written[role] = take(getattr(settings, role), role, role)
    for key, size in everything.round_sizes(settings.rounds.rows).items():
        chosen = take(plan.sized(settings.rounds, size), f"round-{key}", key)
        written[f"round-{key}"] = [Problem(p.problem_id, p.prompt, p.split) for p in chosen]
    for name, rows in written.items():
        files.write(args.problems / f"{name}.parquet", Problem, rows)
    files.write_json(args.stats, {name: len(rows) for name, rows in written.items()})


if __name__ == "__main__":
    run(main)
