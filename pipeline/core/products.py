"""A stage whose product is empty stops with one line that counts the reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.core.errors import PipelineError
from pipeline.core.files import counts
from pipeline.core.records import Dropped

# What to do about it.
ANNOTATED = "correct annotator.model, or raise annotator.sampling.max_tokens, which a model's thinking spends too"
SEARCHED = "read the judgments with `psr show`, then search more problems or wider, or loosen the rule for pairs"


def require_some(stage: str, kept: Sequence[object], dropped: Sequence[Dropped], advice: str) -> None:
    """Raise PipelineError where something was dropped and nothing is kept: how often for which reason, and one text."""
    if dropped and not kept:
        raise nothing_left(stage, counts(row.reason for row in dropped), dropped[0], advice)


def nothing_left(stage: str, reasons: Mapping[str, int], first: Dropped, advice: str) -> PipelineError:
    """The error of a stage that has dropped every row."""
    listed = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items(), key=lambda item: -item[1]))
    return PipelineError(
        f"{stage}: no row is left of {sum(reasons.values())} ({listed}); the first, {first.key}: "
        f"{_shown(first.text)!r}; {advice}"
    )


def _shown(text: str) -> str:
    folded = " ".join(text.split())
    return folded if len(folded) <= 80 else f"{folded[:80]}..."
