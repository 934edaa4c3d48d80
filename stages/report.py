"""The tables and curves of all models in `models`, from each model's own statistics."""

from pipeline import params, plan, report
from pipeline.command import arguments, run


def main() -> None:
    args = arguments(__doc__, reads=["models"], writes=["reports"])
    everything = plan.load(args.params)
    starts = {model: everything.start_of(model) for model in everything.models}
    sources = params.load(args.params, "problems", params.Problems).evaluation
    inside = params.load(args.params, "world", params.World).splits
    splits = [name for key, source in sources.items() for name in (inside if source.path == "world" else [key])]
    report.write(report.collect(args.models, everything.models, starts, splits), args.reports)


if __name__ == "__main__":
    run(main)
