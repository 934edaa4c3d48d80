"""What params.yaml says of the report."""

from __future__ import annotations

from pydantic import Field

from pipeline.core.config import Count, Name, Positive, Section


class Report(Section):
    """What the report shows."""

    trees: Count = Field(description="problems of each round in the tree viewer")
    points: Positive = Field(description="texts of each kind in Figure 2")
    method: Name = Field(description="whose data Figure 2 shows")
    embedder: str = Field(description='sentence-embedding model for Figure 2 (folder or Hub id), or "" for TF-IDF')
