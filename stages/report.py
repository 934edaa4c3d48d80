"""Tables, curves and the page of all models in `models`, from each model's own statistics and excerpts."""

from pipeline import domains
from pipeline.core.command import Stage, run
from pipeline.data.settings import Problems
from pipeline.inference.settings import Reference
from pipeline.report import metrics, output, provenance, sources
from pipeline.training.settings import Base


def main(stage: Stage) -> None:
    plan = stage.plan
    references = tuple(stage.section("reference", Reference).models)
    starts = {model: plan.start_of(model) for model in plan.models}
    methods = {model: plan.label(model) for model in plan.models}
    groups = (tuple(plan.roots), references, tuple(plan.variants))
    lineage = metrics.Lineage(plan.models, starts, methods, *groups)
    domain = stage.section(plan.domain, domains.part(stage, "settings").Settings)
    splits = stage.section("problems", Problems).evaluation_splits(domain)
    base = stage.section("base", Base).model
    shown = sources.read_sources(stage, lineage, base, stage.seed, provenance.gather(stage.params))
    output.write(metrics.collect(stage.models, lineage, splits), lineage, shown, stage.reports)


if __name__ == "__main__":
    run(main, reads=["models", "data", "excerpts", "points", "ledger"], writes=["reports"])
