"""IFT data: solutions segmented into `Step n: ` form; what was left out is kept with its reason."""

from pipeline.core import files, params
from pipeline.core.command import arguments, run
from pipeline.core.records import Dropped, Problem, Solution
from pipeline.data import ift
from pipeline.inference import annotator
from pipeline.language import prompts


def main() -> None:
    args = arguments(__doc__, reads=["problems"], writes=["ift", "stats"])
    settings = params.load(args.params, "annotator", params.Annotator)
    engine = params.load(args.params, "engine", params.Engine)
    family = params.load(args.params, "prompts", params.Prompts).family
    problems = files.read(args.problems, Problem)
    solutions = {p.problem_id: p for p in problems if p.solution}

    def segment(chosen: list[str], attempt: int) -> annotator.Texts:
        asked = {
            key: prompts.fill(family, "segmentation", problem=p.prompt, solution=p.solution or "")
            for key in chosen
            if (p := solutions[key])
        }
        return annotator.answers("ift", asked, settings, engine, attempt)

    if params.load(args.params, "ift", params.Ift).segmenter == "rule":
        kept, dropped = ift.segmented(problems, {key: ift.by_line(p.solution or "") for key, p in solutions.items()})
    else:
        first = segment(list(solutions), 0)
        _, failed = ift.segmented(solutions.values(), first, first.missing)
        refused = {row.key: (row.reason, row.text) for row in failed if row.reason == "refused"}
        again = segment([row.key for row in failed if row.key not in refused], 1)
        kept, dropped = ift.segmented(problems, first | again, again.missing | refused)
        annotator.require_some("ift", kept, dropped)
    files.write(args.ift / "train.parquet", Solution, kept)
    files.write(args.ift / "dropped.parquet", Dropped, dropped)
    files.write_json(args.stats, ift.statistics(kept, dropped))


if __name__ == "__main__":
    run(main)
