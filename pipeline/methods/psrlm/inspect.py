"""What the report shows of a round: its trees."""

from __future__ import annotations

from pathlib import Path

from pipeline.core import files
from pipeline.core.records import Tree
from pipeline.methods.psrlm.settings import FILE


def trees(folder: Path) -> list[Tree]:
    """The trees of a search's folder."""
    return files.read(folder / FILE, Tree)
