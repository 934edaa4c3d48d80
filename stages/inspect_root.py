"""What the report shows of a model trained by SFT: a sample of its IFT and EFT rows, and all drops."""

from pipeline.core import files, params, plan
from pipeline.core.command import arguments, run
from pipeline.core.records import Dropped, JudgedPair, ScoredSolution, Solution, Text
from pipeline.report import excerpt


def main() -> None:
    args = arguments(__doc__, reads=["ift", "eft", "dropped"], writes=["excerpt"])
    points = params.load(args.params, "report", params.Report).points
    eft = args.eft / "train.parquet"
    if plan.load(args.params).method(args.key) == "srlm":
        judgments = excerpt.texts_of_scores(files.read(eft, ScoredSolution))
    else:
        judgments = excerpt.texts_of_judgments(files.read(eft, JudgedPair))
    solutions = excerpt.texts_of_solutions(files.read(args.ift / "train.parquet", Solution))
    chosen = [excerpt.by_hash(rows, lambda text: text.key, points) for rows in (solutions, judgments)]
    dropped = files.read(args.eft / "dropped.parquet", Dropped) + files.read(args.dropped, Dropped)
    files.write(args.excerpt / "texts.parquet", Text, [text for rows in chosen for text in rows])
    files.write(args.excerpt / "dropped.parquet", Dropped, dropped)


if __name__ == "__main__":
    run(main)
