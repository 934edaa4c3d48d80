"""The tables and curves of all models in `models`, from each model's own statistics."""

from pipeline import plan, report
from pipeline.command import arguments, run


def main() -> None:
    args = arguments(__doc__, reads=["models"], writes=["reports"])
    everything = plan.load(args.params)
    starts = {model: everything.start_of(model) for model in everything.models}
    report.write(report.collect(args.models, everything.models, starts), args.reports)


if __name__ == "__main__":
    run(main)
