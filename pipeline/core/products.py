"""A stage whose product is empty stops with one line that counts the reasons."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.errors import PipelineError
from pipeline.core.files import counts
from pipeline.core.records import Dropped

# What to do about it.
ANNOTATED = "correct annotator.model, or raise annotator.sampling.max_tokens, which a model's thinking spends too"
SEARCHED = "read the judgments with `psr show`, then search more problems or wider, or loosen the rule for pairs"


def require_some(stage: str, kept: Sequence[object], dropped: Sequence[Dropped], advice: str) -> None:
    """Raise PipelineError where something was dropped and nothing is kept: how often for which reason, and one text."""
    if dropped and not kept:
        reasons = counts([row.reason for row in dropped])
        listed = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items(), key=lambda item: -item[1]))
        raise PipelineError(
            f"{stage}: no row is left of {len(dropped)} ({listed}); the first, {dropped[0].key}: "
            f"{_shown(dropped[0].text)!r}; {advice}"
        )


def _shown(text: str) -> str:
    folded = " ".join(text.split())
    return folded if len(folded) <= 80 else f"{folded[:80]}..."
