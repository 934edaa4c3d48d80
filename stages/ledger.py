"""The drop ledger: what was left out in the whole run, by stage and reason, with a count and three examples."""

from pipeline.core.command import Stage, run
from pipeline.report import ledger


def main(stage: Stage) -> None:
    plan, dropped = stage.plan, stage.dropped
    parts = [
        ledger.overlaps(stage.overlaps),
        ledger.duplicates(stage.duplicates),
        ledger.unusable(dropped / "problems.parquet"),
        ledger.dropped(dropped / "ift.parquet", "ift"),
        ledger.dropped(dropped / "prm.parquet", "prm"),
    ]
    for model in plan.models:
        before = f"eft-{plan.method(model)}" if model in plan.roots else f"pairs-{model}"
        names = (before, f"train-{model}") if plan.start_of(model) else ()
        parts += [ledger.dropped(dropped / f"{name}.parquet", model) for name in names]
    ledger.write(ledger.ledger(parts), stage.ledger)


if __name__ == "__main__":
    run(main, reads=["overlaps", "duplicates", "dropped"], writes=["ledger"])
