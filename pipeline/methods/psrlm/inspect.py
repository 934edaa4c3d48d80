"""What the report shows of a round: its trees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.core import files
from pipeline.core.records import Tree
from pipeline.methods.psrlm.settings import FILE


def trees(folder: Path) -> Iterator[Tree]:
    """The trees of a search's folder, one after another."""
    return files.rows(folder / FILE, Tree, size=64)
