"""Judge accuracy of one model on the held-out EFT pairs, consistency under swapped order, calibration."""

from pipeline.core import files, params
from pipeline.core.command import arguments, run
from pipeline.core.records import JudgedPair
from pipeline.data.ratings import PREFIX
from pipeline.evaluation import evaluate
from pipeline.inference import work
from pipeline.methods.psrlm import calibration


def main() -> None:
    args = arguments(__doc__, reads=["model", "eft"], writes=["opinions", "stats"])
    settings = params.load(args.params, "judge_eval", params.JudgeEval)
    how = params.load(args.params, "search", params.Search).judge
    engine = params.load(args.params, "engine", params.Engine)
    family = params.load(args.params, "prompts", params.Prompts).family
    test = files.read(args.eft / "test.parquet", JudgedPair)
    examples = files.read(args.eft / "train.parquet", JudgedPair)[: settings.shots.get(args.key, 0)]
    with work.results(
        "judge_eval",
        {"policy": args.model},
        engine,
        lambda t: {pair.pair_id: calibration.weigh(t, family, pair, examples, how) for pair in test},
        calibration.Weighed,
        (settings, how, family, test, examples),
        window=engine.window,
    ) as found:
        opinions = list(found.values())
        rated = [opinion for opinion in opinions if opinion.pair_id.startswith(PREFIX)]
        stats = {"shots": len(examples), **evaluate.judge_quality(opinions)}
        stats["calibration"] = calibration.calibration(opinions)
        if rated:
            stats["human"] = evaluate.judge_quality(rated)
        files.write(args.opinions / "opinions.parquet", calibration.Weighed, opinions)
        files.write_json(args.stats, stats)


if __name__ == "__main__":
    run(main)
