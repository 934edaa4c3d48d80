"""IFT data: solutions segmented into `Step n: ` form; what was left out is kept with its reason."""

from pipeline import domains
from pipeline.core import files
from pipeline.core.command import Stage, run
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

    def segment(keys: list[str], attempt: int) -> dict[str, str]:
        chosen = {key: solutions[key] for key in keys}
        texts = {
            key: prompts.fill(stage.family, "segmentation", problem=p.prompt, solution=p.solution or "")
            for key, p in chosen.items()
        }
        return annotator.answers(stage, texts, stage.section("annotator", Annotator), attempt)

    if stage.section("ift", Ift).segmenter == "rule":
        texts = {key: rules.by_line(p.solution or "") for key, p in solutions.items()}
    else:
        texts = segment(list(solutions), 0)
        _, refused = ift.segmented(solutions.values(), texts, parts)
        texts |= segment([row.key for row in refused], 1)
    kept, dropped = ift.segmented(problems, texts, parts)
    files.write(stage.ift / "train.parquet", Solution, kept)
    files.write(stage.dropped, Dropped, dropped)
    files.write_json(stage.stats, ift.statistics(kept, dropped))


if __name__ == "__main__":
    run(main, reads=["problems"], writes=["ift", "dropped", "stats"])
