"""Figure 2: prompts and responses of the step-wise arm's IFT, EFT and PPD data on a plane."""

from pipeline.core import files, params, plan
from pipeline.core.command import arguments, run
from pipeline.core.records import Text
from pipeline.report import embedding, excerpt


def main() -> None:
    args = arguments(__doc__, reads=["excerpts"], writes=["points", "stats"])
    settings = params.load(args.params, "report", params.Report)
    everything = plan.load(args.params)
    trained = [m for m in (*everything.roots, *everything.rounds) if everything.method(m) == "psrlm"]
    texts = [text for model in trained for text in files.read(args.excerpts / model / "texts.parquet", Text)]
    chosen = excerpt.balanced(texts, settings.points)
    points, statistics = embedding.figure(chosen, settings.embedder, everything.seed)
    embedding.write(points, args.points)
    files.write_json(args.stats, statistics)


if __name__ == "__main__":
    run(main)
