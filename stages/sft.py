"""M0 -> M1: supervised fine-tuning on IFT and the method's EFT rows, loss on completions only."""

from pipeline.core import files, params, plan
from pipeline.core.command import arguments, run
from pipeline.core.records import Dropped, JudgedPair, ScoredSolution, Solution
from pipeline.training import judgment_row, read_tokenizer, scoring_row, solution_row, train_supervised


def main() -> None:
    args = arguments(__doc__, reads=["start", "ift", "eft"], writes=["model", "dropped", "stats"])
    settings = params.load(args.params, "sft", params.Training)
    family = params.load(args.params, "prompts", params.Prompts).family
    everything = plan.load(args.params)
    words = read_tokenizer(args.start)
    rows = [solution_row(words, family, row) for row in files.read(args.ift / "train.parquet", Solution)]
    solved = len(rows)
    eft = args.eft / "train.parquet"
    if everything.method(args.key) == "srlm":
        rows += [scoring_row(words, family, row) for row in files.read(eft, ScoredSolution)]
    else:
        rows += [judgment_row(words, family, row) for row in files.read(eft, JudgedPair)]
    statistics, dropped = train_supervised(args.start, rows, settings, everything.seed, args.model)
    files.write(args.dropped, Dropped, dropped)
    files.write_json(args.stats, {"ift": solved, "eft": len(rows) - solved, **statistics})


if __name__ == "__main__":
    run(main)
