"""Problems of the embedded world by role, apart from each other and from those held out."""

from __future__ import annotations

from pipeline.core.records import Problem
from pipeline.domains import worlds
from pipeline.domains.arithmetic import exact, graphs
from pipeline.domains.arithmetic.settings import Settings


def evaluation(settings: Settings) -> list[Problem]:
    """Held-out problems of all splits."""
    return worlds.evaluation(graphs, exact, settings.splits, settings.seed)


def training(settings: Settings, seed: int, name: str, count: int, seen: set[str]) -> list[Problem]:
    """`count` problems of two to seven steps for one role."""
    return worlds.training(graphs, exact, (2, 7), seed, name, count, seen)
