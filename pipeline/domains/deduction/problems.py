"""Problems of the world of deduction by role, apart from each other and from those held out."""

from __future__ import annotations

from pipeline.core.records import Problem
from pipeline.domains import worlds
from pipeline.domains.deduction import exact, theories
from pipeline.domains.deduction.settings import Settings


def evaluation(settings: Settings) -> list[Problem]:
    """Held-out problems of all splits."""
    return worlds.evaluation(theories, exact, settings.splits, settings.seed)


def training(settings: Settings, seed: int, name: str, count: int, seen: set[str]) -> list[Problem]:
    """`count` problems of proofs of one to four rules for one role."""
    return worlds.training(theories, exact, (1, 4), seed, name, count, seen)
