"""The base model M0: the world's shipped one, one trained by its recipe, or any model folder or Hub id."""

from collections.abc import Iterator

from pipeline.core import files, params
from pipeline.core.command import arguments, run
from pipeline.domains.arithmetic import corpus, tokenizer
from pipeline.training import adopt, pretrain


def main() -> None:
    args = arguments(__doc__, reads=["shipped"], writes=["model", "stats"])
    world = params.load(args.params, "world", params.World)
    if world.base != "train":
        adopt(args.shipped if world.base == "shipped" else world.base, args.model)
        files.write_json(args.stats, {"base": world.base})
        return
    recipe = params.load(args.params, "base", params.Base)
    words = tokenizer.train(corpus.texts(world.seed, recipe.phases[0], world.careless))

    def rows(number: int) -> Iterator[dict[str, list[int]]]:
        documents = corpus.documents(world.seed + 1000 * number, recipe.phases[number], world.careless)
        return (corpus.row(words, document) for document in documents)

    statistics = pretrain(words, rows, recipe, world.seed, args.model)
    files.write_json(args.stats, {"base": "train", "phases": statistics})


if __name__ == "__main__":
    run(main)
