"""The base model of the embedded world: the shipped one, and the recipe that made it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.domains.arithmetic import corpus, tokenizer
from pipeline.domains.arithmetic.settings import Settings
from pipeline.language.renderer import Renderer
from pipeline.training.pretrain import pretrain

SHIPPED = Path(__file__).parent / "shipped"


def train(settings: Settings, threads: int, folder: Path) -> list[dict[str, Any]]:
    """Train the base model by its recipe into `folder`; statistics of its phases."""
    recipe, rate = settings.recipe, settings.misconception_rate
    words = tokenizer.train(corpus.texts(settings.seed, recipe.phases[0], rate))
    renderer = Renderer(words, corpus.FAMILY)

    def rows(number: int) -> Iterator[dict[str, list[int]]]:
        documents = corpus.documents(settings.seed + 1000 * number, recipe.phases[number], rate)
        return (corpus.row(renderer, document) for document in documents)

    return pretrain(words, rows, recipe, settings.seed, threads, folder)
