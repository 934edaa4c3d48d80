"""A stage whose product is empty, or too small a share, stops with one line that counts the reasons.

Else a model that writes nothing usable goes unnoticed through every stage until a training has no rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from pipeline.core.config import Section, Share
from pipeline.core.errors import PipelineError
from pipeline.core.files import counts
from pipeline.core.records import Dropped

# What to do about it.
ANNOTATED = "correct annotator.model, or raise annotator.sampling.max_tokens, which a model's thinking spends too"
JUDGED = "look at the searches with `psr show`, then search more problems, hold fewer out or loosen eft's rules"
SEARCHED = "read the judgments with `psr show`, then search more problems or wider, or loosen the rule for pairs"


class Shares(Section):
    """Least shares of usable products; a stage with less stops (0: never)."""

    candidates: Share = Field(description="of the distinct candidates of a search")
    layers: Share = Field(description="of the problems of the EFT search: those with something to annotate")
    annotated: Share = Field(description="of what was annotated")
    verdicts: Share = Field(description="of a model's own verdicts: those that can be read")
    pairs: Share = Field(description="of the problems of a round: those with a pair")


# What a share is of, and what to do about too small a one.
_SHARES = {
    "candidates": (
        "distinct candidates are usable",
        "look at them with `psr show`, then raise sampling.max_tokens or give a base model that solves such problems",
    ),
    "layers": (
        "searched problems have something to annotate",
        "look at the searches with `psr show`, then search wider or longer, or lower eft.margin",
    ),
    "annotated": ("annotations are usable", ANNOTATED),
    "verdicts": (
        "verdicts can be read",
        "read them with `psr show`, then raise the judge's sampling.max_tokens or train M1 on more EFT rows",
    ),
    "pairs": ("problems of the round have a pair", SEARCHED),
}


def require_share(
    stage: str, shares: Shares, name: str, kept: int, total: int, lost: Mapping[str, int], first: Dropped | None = None
) -> None:
    """Raise PipelineError where `kept` of `total` is less than the share `name`.

    lost: how often for which reason. first: one that was lost, to be shown.
    """
    least: float = getattr(shares, name)
    if kept < least * total:
        of, advice = _SHARES[name]
        raise PipelineError(
            f"{stage}: {kept} of {total} {of} ({_listed(lost)}), less than shares.{name} ({least:g})"
            f"{_example(first) if first else ''}; {advice}"
        )


def require_shares(stage: str, shares: Shares, statistics: Mapping[str, Any]) -> None:
    """Raise PipelineError where the statistics of a search say that too few candidates or verdicts are usable."""
    lost, unreadable = statistics.get("unusable", {}), statistics.get("unreadable", 0)
    candidates, verdicts = statistics.get("candidates", 0), statistics.get("verdicts", 0)
    require_share(stage, shares, "candidates", candidates - sum(lost.values()), candidates, lost)
    require_share(stage, shares, "verdicts", verdicts - unreadable, verdicts, {"unreadable": unreadable})


def require_some(stage: str, kept: Sequence[object], dropped: Sequence[Dropped], advice: str) -> None:
    """Raise PipelineError where something was dropped and nothing is kept: how often for which reason, and one text."""
    if dropped and not kept:
        raise nothing_left(stage, counts(row.reason for row in dropped), dropped[0], advice)


def require_splits(stage: str, train: Sequence[object], test: Sequence[object], dropped: Sequence[Dropped]) -> None:
    """Raise PipelineError where no row is left to train a judge on, or none to measure it with."""
    if not (train and test):
        reasons = _listed(counts(row.reason for row in dropped)) or "none"
        raise PipelineError(
            f"{stage}: {len(train)} rows to train on and {len(test)} held out; both are needed (left out: {reasons})"
            f"{_example(dropped[0]) if dropped else ''}; {JUDGED}"
        )


def nothing_left(stage: str, reasons: Mapping[str, int], first: Dropped, advice: str) -> PipelineError:
    """The error of a stage that has dropped every row."""
    total = sum(reasons.values())
    return PipelineError(f"{stage}: no row is left of {total} ({_listed(reasons)}){_example(first)}; {advice}")


def _listed(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in Counter(reasons).most_common())


def _example(row: Dropped) -> str:
    text = " ".join(row.text.split())
    return f"; the first, {row.key}: {text[:80] + '...' * (len(text) > 80)!r}"
