"""IFT data: solutions segmented into `Step n: ` form; what was left out is kept with its reason."""

from collections.abc import Sequence

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
    parts = domains.part(stage, "final"), domains.part(stage, "solutions")
    solutions = {p.problem_id: p for p in problems if p.solution}

    def ask(chosen: Sequence[Problem], attempt: int) -> annotator.Texts:
        fields = {p.problem_id: {"problem": p.prompt, "solution": p.solution or ""} for p in chosen}
        texts = {key: prompts.fill(stage.family, "segmentation", **values) for key, values in fields.items()}
        return annotator.answers(stage, texts, stage.section("annotator", Annotator), attempt)

    if by_annotator := stage.section("ift", Ift).segmenter == "annotator":
        texts, missing = ift.in_two_attempts(solutions, parts, ask)
    else:
        texts, missing = {key: parts[1].by_line(p.solution or "") for key, p in solutions.items()}, {}
    kept, dropped = ift.segmented(problems, texts, parts, missing)
    if by_annotator:
        require_some(stage.name, kept, dropped, ANNOTATED)
    files.write(stage.ift / "train.parquet", Solution, kept)
    files.write(stage.dropped, Dropped, dropped)
    files.write_json(stage.stats, ift.statistics(kept, dropped))


if __name__ == "__main__":
    run(main, reads=["problems"], writes=["ift", "dropped", "stats"])
