"""IFT data: solutions segmented into `Step n: ` form; what was left out is kept with its reason."""

from pipeline import files, ift
from pipeline.command import arguments, run
from pipeline.records import Dropped, Problem, Solution


def main() -> None:
    args = arguments(__doc__, reads=["problems"], writes=["ift", "stats"])
    problems = files.read(args.problems, Problem)
    kept, dropped = ift.segmented(problems, ift.by_line)
    files.write(args.ift / "train.parquet", Solution, kept)
    files.write(args.ift / "dropped.parquet", Dropped, dropped)
    reasons = files.counts([row.reason for row in dropped])
    files.write_json(args.stats, {"problems": len(problems), "kept": len(kept), "dropped": reasons})


if __name__ == "__main__":
    run(main)
