"""What the report shows of a round: whole solutions have no tree and no pairwise verdicts."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.records import Tree


def trees(folder: Path) -> list[Tree]:
    """None."""
    return []
