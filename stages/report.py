"""Tables, curves and the page of all models in `models`, from each model's own statistics and excerpts."""

from pipeline import report
from pipeline.core import params, plan
from pipeline.core.command import arguments, run
from pipeline.report import provenance


def main() -> None:
    args = arguments(__doc__, reads=["models", "data", "excerpts", "points", "ledger"], writes=["reports"])
    everything = plan.load(args.params)
    base = params.load(args.params, "world", params.World).base
    references = params.load(args.params, "reference", params.Reference).models
    starts = {model: everything.start_of(model) for model in everything.models}
    methods = {model: everything.method(model) for model in (*everything.roots, *everything.rounds)}
    methods |= {model: entry["kind"] for model, entry in everything.variants.items()} | {"m0": "base"}
    groups = (tuple(everything.roots), tuple(references), tuple(everything.variants))
    lineage = report.Lineage(everything.models, starts, methods, *groups)
    metrics = report.collect(args.models, lineage, plan.evaluation_splits(args.params))
    origin = provenance.gather(args.params)
    sources = report.read_sources(
        lineage, args.excerpts, args.points, args.data, args.ledger, base, everything.seed, origin
    )
    report.write(metrics, lineage, sources, args.reports)


if __name__ == "__main__":
    run(main)
