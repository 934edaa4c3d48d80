"""How final answers are compared: by text, number and algebra. In a worker alone is algebra imported."""

from __future__ import annotations

import logging

from pipeline.core.records import Grade
from pipeline.domains.math.compare import MAX_CHARACTERS, alike, same

__all__ = ["alike", "plain", "right", "warm_up"]


class _NeedsAlgebra(Exception):
    """Raised out of a comparison that plain means cannot finish."""


def _defer(answer: str, gold: str) -> bool:
    raise _NeedsAlgebra


def plain(answer: str, gold: str) -> Grade | None:
    """The grade, or None if it takes algebra."""
    if max(len(answer), len(gold)) > MAX_CHARACTERS:
        return Grade.UNREADABLE
    try:
        return Grade.RIGHT if same(answer, gold, _defer) else Grade.WRONG
    except _NeedsAlgebra:
        return None


def right(answer: str, gold: str) -> bool:
    """Whether an answer is the gold one. Raises if one cannot be read."""
    from pipeline.domains.math.algebra import equal

    return same(answer, gold, equal)


def warm_up() -> None:
    """Import the algebra and fill its caches, before the first pair."""
    from pipeline.domains.math import algebra

    logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns that its own time limit is off
    algebra.warm_up()
