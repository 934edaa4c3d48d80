"""Problems by role: ift, prm, eft, one file for each round, and the held-out evaluation problems."""

from pipeline import domains
from pipeline.core.command import Stage, run
from pipeline.core.records import Problem, UnusableRow
from pipeline.data.problems import Selection, held_out
from pipeline.data.settings import GENERATED, Problems, Source


def main(stage: Stage) -> None:
    settings = stage.section("problems", Problems)
    domain = stage.section(stage.plan.domain, domains.part(stage, "settings").Settings)
    seen, evaluation, unusable = set[str](), list[Problem](), list[UnusableRow]()
    for split, source in settings.evaluation.items():
        if source.path == GENERATED:
            evaluation += domains.part(stage, "problems").evaluation(domain)
        else:
            evaluation += held_out(source, split, stage.seed, unusable)
    selection = Selection(evaluation, settings.ngram, stage.seed, settings.near)
    selection.unusable += unusable

    def take(source: Source, role: str) -> list[Problem]:
        if source.path != GENERATED:
            return selection.take(source, role)
        return list(domains.part(stage, "problems").training(domain, stage.seed, role, source.rows, seen))

    roles = {role: take(getattr(settings, role), role) for role in ("ift", "prm", "eft")} | {"evaluation": evaluation}
    roles["ratings"] = selection.rated(settings.ratings)
    for iteration, sizes in stage.plan.round_sizes(settings.rounds.rows).items():
        chosen = take(settings.rounds.model_copy(update={"rows": max(sizes.values())}), f"round-{iteration}")
        for key, size in sizes.items():
            for name, gold in stage.plan.readers(key).items():
                roles[f"round-{name}"] = [problem.shown(gold) for problem in chosen[:size]]
    selection.write(roles, stage.problems, stage.dropped, stage.stats)


if __name__ == "__main__":
    run(main, reads=[], writes=["problems", "dropped", "stats"])
