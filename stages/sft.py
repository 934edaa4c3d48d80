"""M0 -> M1: supervised fine-tuning on IFT and EFT rows, loss on completions only."""

from pipeline import files, params, plan
from pipeline.command import arguments, run
from pipeline.records import Dropped, JudgedPair, Solution
from pipeline.train import judgment_row, read_tokenizer, solution_row, train_supervised


def main() -> None:
    args = arguments(__doc__, reads=["start", "ift", "eft"], writes=["model", "dropped", "stats"])
    settings = params.load(args.params, "sft", params.Training)
    family = params.load(args.params, "prompts", params.Prompts).family
    words = read_tokenizer(args.start)
    solutions = files.read(args.ift / "train.parquet", Solution)
    judgments = files.read(args.eft / "train.parquet", JudgedPair)
    rows = [solution_row(words, family, row) for row in solutions]
    rows += [judgment_row(words, family, row) for row in judgments]
    statistics, dropped = train_supervised(args.start, rows, settings, plan.load(args.params).seed, args.model)
    files.write(args.dropped, Dropped, dropped)
    files.write_json(args.stats, {"ift": len(solutions), "eft": len(judgments), **statistics})


if __name__ == "__main__":
    run(main)
