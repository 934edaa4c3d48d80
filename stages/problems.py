"""Problems by role: ift, prm, eft, one file for each round, and the held-out evaluation problems."""

from pipeline.core import files, params, plan
from pipeline.core.command import arguments, run
from pipeline.core.records import Problem, UnusableRow
from pipeline.data.problems import Selection, held_out
from pipeline.domains.arithmetic import roles


def main() -> None:
    args = arguments(__doc__, reads=[], writes=["problems", "stats"])
    settings = params.load(args.params, "problems", params.Problems)
    world = params.load(args.params, "world", params.World)
    everything = plan.load(args.params)
    seen, evaluation, unusable = set[str](), list[Problem](), list[UnusableRow]()
    for split, source in settings.evaluation.items():
        inside = source.path == "world"
        evaluation += (
            roles.evaluation(world.seed, world.splits) if inside else held_out(source, split, everything.seed, unusable)
        )
    selection = Selection(evaluation, settings.ngram, everything.seed, settings.near)
    selection.unusable += unusable

    def take(source: params.Source, role: str) -> list[Problem]:
        if source.path != "world":
            return selection.take(source, role)
        return roles.role(everything.seed, role, source.rows, seen, solved=role == "ift")

    written = {role: take(getattr(settings, role), role) for role in ("ift", "prm", "eft")} | {"evaluation": evaluation}
    written["ratings"] = selection.rated(params.load(args.params, "eft", params.Eft).ratings)
    for iteration, sizes in everything.round_sizes(settings.rounds.rows).items():
        chosen = take(plan.sized(settings.rounds, max(sizes.values())), f"round-{iteration}")
        for key, size in sizes.items():
            written[f"round-{key}"] = [Problem(p.problem_id, p.prompt, p.split) for p in chosen[:size]]
    for name, rows in written.items():
        files.write(args.problems / f"{name}.parquet", Problem, rows)
    selection.write_left_out(args.problems)
    kept = {name: {"rows": len(rows), "content": files.content(rows)} for name, rows in written.items()}
    files.write_json(args.stats, kept | selection.statistics())


if __name__ == "__main__":
    run(main)
