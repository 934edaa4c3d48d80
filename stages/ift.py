"""IFT data: solutions segmented into `Step n: ` form; what was left out is kept with its reason."""

from pipeline import domains
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.core.products import ANNOTATED, require_some
from pipeline.core.records import Dropped, Problem, Solution
from pipeline.data import ift
from pipeline.data.settings import Ift
from pipeline.inference import annotator
from pipeline.inference.settings import Annotator
from pipeline.language import prompts


def main(stage: Stage) -> None:
    problems = files.read(stage.problems, Problem)
    rules = domains.part(stage, "solutions")
    parts = (domains.part(stage, "final"), rules)
    solutions = {p.problem_id: p for p in problems if p.solution}

    def segment(keys: list[str], attempt: int) -> annotator.Texts:
        chosen = {key: solutions[key] for key in keys}
        texts = {
            key: prompts.fill(stage.family, "segmentation", problem=p.prompt, solution=p.solution or "")
            for key, p in chosen.items()
        }
        return annotator.answers(stage, texts, stage.section("annotator", Annotator), attempt)

    by_annotator = stage.section("ift", Ift).segmenter == "annotator"
    texts, missing = {key: rules.by_line(p.solution or "") for key, p in solutions.items()}, {}
    if by_annotator:
        first = segment(list(solutions), 0)
        _, failed = ift.segmented(solutions.values(), first, parts, first.missing)
        refused = {row.key: (row.reason, row.text) for row in failed if row.reason == "refused"}
        again = segment([row.key for row in failed if row.key not in refused], 1)
        texts, missing = first | again, again.missing | refused
    kept, dropped = ift.segmented(problems, texts, parts, missing)
    if by_annotator:
        require_some(stage.name, kept, dropped, ANNOTATED)
    files.write(stage.ift / "train.parquet", Solution, kept)
    files.write(stage.dropped, Dropped, dropped)
    files.write_json(stage.stats, ift.statistics(kept, dropped))


if __name__ == "__main__":
    run(main, reads=["problems"], writes=["ift", "dropped", "stats"])
