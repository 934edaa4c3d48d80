"""The drop ledger: what was left out in the whole run, by stage and reason, with a count and three examples."""

from pipeline.core import plan
from pipeline.core.command import arguments, run
from pipeline.report import ledger


def main() -> None:
    args = arguments(__doc__, reads=["overlaps", "duplicates", "unusable", "ift", "prm", "excerpts"], writes=["ledger"])
    everything = plan.load(args.params)
    parts = [
        ledger.overlaps(args.overlaps),
        ledger.duplicates(args.duplicates),
        ledger.unusable(args.unusable),
        ledger.dropped(args.ift, "ift"),
        ledger.dropped(args.prm, "prm"),
        *(ledger.dropped(args.excerpts / m / "dropped.parquet", m) for m in everything.models if m != "m0"),
    ]
    ledger.write(ledger.ledger(parts), args.ledger)


if __name__ == "__main__":
    run(main)
