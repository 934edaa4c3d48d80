"""EFT data: pairs of a layer, filtered, annotated in both orders, split into train and test by problem."""

from pipeline.core import files, params, plan
from pipeline.core.command import arguments, run
from pipeline.core.records import Dropped, JudgedPair, Problem, SearchTree
from pipeline.data import ratings
from pipeline.domains.arithmetic import roles
from pipeline.inference import annotator
from pipeline.methods.psrlm import eft, judge


def main() -> None:
    args = arguments(__doc__, reads=["trees", "ratings"], writes=["pairs", "stats"])
    settings = params.load(args.params, "eft", params.Eft)
    who = params.load(args.params, "annotator", params.Annotator)
    engine = params.load(args.params, "engine", params.Engine)
    family = params.load(args.params, "prompts", params.Prompts).family
    layers = eft.layers(files.read(args.trees / "trees.parquet", SearchTree))
    asked, unasked = eft.questions(layers, settings)
    pairs = [question for _, *both in asked for question in both]
    answers = annotator.Texts()
    if who.kind == "world":
        answers |= {q.key: roles.annotate(q.problem, q.steps, q.a, q.b) for q in pairs}
    else:
        texts = {q.key: judge.prompt(family, q.problem, q.steps, q.a, q.b, ()) for q in pairs}
        answers = annotator.answers("eft", texts, who, engine)
    kept, dropped = eft.judged_pairs(asked, answers, answers.missing)
    annotator.require_some("eft", kept, dropped)
    if settings.ratings:
        allowed = {problem.prompt for problem in files.read(args.ratings, Problem)}
        people = eft.rated_layers(ratings.read(params.Source(settings.ratings, 0), allowed))
        rated, left = eft.questions(people, settings)
        more, odd = eft.judged_pairs(rated, eft.human_answers(rated))
        layers, unasked, kept, dropped = layers + people, unasked + left, kept + more, dropped + odd
    train, test, surplus = eft.split(kept, settings, plan.load(args.params).seed)
    left_out = [*unasked, *dropped, *surplus]
    files.write(args.pairs / "train.parquet", JudgedPair, train)
    files.write(args.pairs / "test.parquet", JudgedPair, test)
    files.write(args.pairs / "dropped.parquet", Dropped, left_out)
    files.write_json(args.stats, eft.statistics(len(layers), train, test, left_out))


if __name__ == "__main__":
    run(main)
