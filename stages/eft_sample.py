"""SRLM's EFT, first half: whole solutions that the policy samples to the EFT problems."""

from pipeline.core import files, params, plan
from pipeline.core.command import arguments, run
from pipeline.core.records import Problem, SampleSet
from pipeline.inference import work
from pipeline.methods.srlm import solutions


def main() -> None:
    args = arguments(__doc__, reads=["policy", "problems"], writes=["solutions", "stats"])
    settings = params.load(args.params, "eft_scores", params.EftScores)
    engine = params.load(args.params, "engine", params.Engine)
    family = params.load(args.params, "prompts", params.Prompts).family
    seed = plan.load(args.params).seed
    problems = files.read(args.problems, Problem)
    count, how = settings.samples, settings.sampling
    with work.results(
        "eft_sample",
        {"policy": args.policy},
        engine,
        lambda t: {p.problem_id: solutions.sample(t, family, p, count, how, seed) for p in problems},
        SampleSet,
        (count, how, family, seed, args.problems),
        window=engine.window,
        too_long=solutions.too_long,
    ) as found:
        files.write(args.solutions / "solutions.parquet", SampleSet, found.values())
        files.write_json(args.stats, solutions.statistics(list(found.values())))


if __name__ == "__main__":
    run(main)
