"""Publish the finished run on the Hugging Face Hub; `psr push ORG/NAME` runs this."""

from pipeline import publish
from pipeline.core import files, params, plan
from pipeline.core.command import arguments, run


def main() -> None:
    reads = ["settings", "lock", "ift", "eft", "prm", "problems", "models", "reports"]
    args = arguments(__doc__, reads=reads, writes=["receipt"])
    everything = plan.load(args.params)
    lock = publish.Lock(args.lock)
    settings = publish.named(params.load(args.settings, "publish", publish.Settings), lock)
    places = publish.Artifacts(args.ift, args.eft, args.prm, args.problems, args.models, args.reports)
    starts = {model: everything.start_of(model) for model in everything.models}
    rounds = {model: everything.method(model) for model in everything.rounds}
    receipt = publish.push(settings, places, lock, starts, rounds)
    if not settings.dry_run:
        files.write_json(args.receipt, receipt)


if __name__ == "__main__":
    run(main)
