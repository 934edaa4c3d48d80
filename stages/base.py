"""The base model M0: the domain's shipped one, one trained by its recipe, or any model folder or Hub id."""

from pipeline import domains
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.inference.settings import Inference
from pipeline.training.adopt import adopt
from pipeline.training.settings import Base


def main(stage: Stage) -> None:
    source = stage.section("base", Base).model
    if source == "train":
        settings = stage.section(stage.plan.domain, domains.part(stage, "settings").Settings)
        phases = domains.part(stage, "base").train(settings, stage.machine.training.threads, stage.model)
        files.write_json(stage.stats, {"base": source, "phases": phases})
    else:
        given = domains.part(stage, "base").SHIPPED if source == "shipped" else source
        adopt(given, stage.model, stage.section("inference", Inference).max_model_len)
        files.write_json(stage.stats, {"base": source})


if __name__ == "__main__":
    run(main, reads=[], writes=["model", "stats"])
