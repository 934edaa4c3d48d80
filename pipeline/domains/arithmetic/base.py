"""The base model of the embedded world: the shipped one, and the recipe that made it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.domains.arithmetic import authors
from pipeline.domains.arithmetic.settings import Settings
from pipeline.training.pretrain import pretrain_world

SHIPPED = Path(__file__).parent / "shipped"


def train(settings: Settings, threads: int, folder: Path) -> list[dict[str, Any]]:
    """Train the base model by its recipe into `folder`, each of 0..999 one token; statistics of its phases."""
    recipe, rate = settings.recipe, settings.misconception_rate
    return pretrain_world(authors, recipe, rate, settings.seed, threads, folder, numbers=1000)
