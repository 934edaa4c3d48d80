"""SRLM's EFT, second half: the annotator explains and scores each solution; train and test are apart by problem."""

from pipeline.core import files, params, plan
from pipeline.core.command import arguments, run
from pipeline.core.records import Dropped, SampleSet, ScoredSolution
from pipeline.domains.arithmetic import roles
from pipeline.inference import annotator
from pipeline.methods.srlm import eft_scores, scoring


def main() -> None:
    args = arguments(__doc__, reads=["solutions"], writes=["scores", "stats"])
    settings = params.load(args.params, "eft_scores", params.EftScores)
    who = params.load(args.params, "annotator", params.Annotator)
    engine = params.load(args.params, "engine", params.Engine)
    family = params.load(args.params, "prompts", params.Prompts).family
    asked, unasked = eft_scores.questions(files.read(args.solutions / "solutions.parquet", SampleSet))
    answers = annotator.Texts()
    if who.kind == "world":
        answers |= {q.key: roles.annotate_solution(q.problem, q.solution) for q in asked}
    else:
        texts = {q.key: scoring.prompt(family, q.problem, q.solution, ()) for q in asked}
        answers = annotator.answers("eft_scores", texts, who, engine)
    kept, dropped = eft_scores.scored(asked, answers, answers.missing)
    annotator.require_some("eft_scores", kept, dropped)
    train, test, surplus = eft_scores.split(kept, settings, plan.load(args.params).seed)
    left_out = [*unasked, *dropped, *surplus]
    files.write(args.scores / "train.parquet", ScoredSolution, train)
    files.write(args.scores / "test.parquet", ScoredSolution, test)
    files.write(args.scores / "dropped.parquet", Dropped, left_out)
    files.write_json(args.stats, eft_scores.statistics(train, test, left_out))


if __name__ == "__main__":
    run(main)
