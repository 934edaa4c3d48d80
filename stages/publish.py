"""Push a finished run on the Hugging Face Hub; `psr push ORG/NAME` runs this."""

from pipeline import publish
from pipeline.core import config, files
from pipeline.core.command import Stage, run


def main(stage: Stage) -> None:
    plan, lock = stage.plan, publish.Lock(stage.lock)
    settings = publish.named(config.load(stage.settings, "publish", publish.Settings), lock)
    places = publish.Artifacts(stage.ift, stage.eft, stage.prm, stage.problems, stage.models, stage.reports)
    starts = {model: plan.start_of(model) for model in plan.models}
    rounds = {model: plan.method(model) for model in plan.rounds}
    receipt = publish.push(settings, places, lock, starts, rounds)
    if not settings.dry_run:
        files.write_json(stage.receipt, receipt)


if __name__ == "__main__":
    run(main, reads=["settings", "lock", "ift", "eft", "prm", "problems", "models", "reports"], writes=["receipt"])
