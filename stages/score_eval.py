"""How well one model scores held-out whole solutions: agreement with the annotator, order, consistency."""

from pipeline.core import files, params, plan
from pipeline.core.command import arguments, run
from pipeline.core.records import ScoredSolution
from pipeline.evaluation import evaluate
from pipeline.inference import work
from pipeline.methods.srlm import scoring


def main() -> None:
    args = arguments(__doc__, reads=["model", "eft"], writes=["estimates", "stats"])
    settings = params.load(args.params, "score_eval", params.JudgeEval)
    how = params.load(args.params, "solutions", params.SolutionSearch).scorer
    engine = params.load(args.params, "engine", params.Engine)
    family = params.load(args.params, "prompts", params.Prompts).family
    seed = plan.load(args.params).seed
    test = files.read(args.eft / "test.parquet", ScoredSolution)
    examples = files.read(args.eft / "train.parquet", ScoredSolution)[: settings.shots.get(args.key, 0)]
    with work.results(
        "score_eval",
        {"policy": args.model},
        engine,
        lambda t: {row.solution_id: scoring.estimate(t, family, row, examples, how, seed) for row in test},
        scoring.Estimate,
        (settings, how, family, seed, test, examples),
        window=engine.window,
    ) as found:
        files.write(args.estimates / "estimates.parquet", scoring.Estimate, found.values())
        files.write_json(args.stats, {"shots": len(examples), **evaluate.scorer_quality(list(found.values()))})


if __name__ == "__main__":
    run(main)
