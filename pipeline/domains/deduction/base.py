"""The base model of the world of deduction: the shipped one, and the recipe that made it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.domains.deduction import authors
from pipeline.domains.deduction.settings import Settings
from pipeline.training.pretrain import pretrain_world

SHIPPED = Path(__file__).parent / "shipped"


def train(settings: Settings, threads: int, folder: Path) -> list[dict[str, Any]]:
    """Train the base model by its recipe into `folder`; statistics of its phases."""
    return pretrain_world(authors, settings.recipe, settings.misconception_rate, settings.seed, threads, folder)
