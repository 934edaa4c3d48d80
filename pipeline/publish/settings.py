"""The section `publish` of publish/params.yaml: where and how a run is published."""

from __future__ import annotations

from pydantic import Field

from pipeline.core.config import Section

AUTO = "auto"


class Settings(Section):
    """Where a run is published."""

    repository: str = Field(description="ORG/NAME of the dataset")
    license: str = Field(description="of a new card, like language and title")
    language: tuple[str, ...]
    title: str
    public: bool = Field(default=False, description="make it public (a new one is private)")
    models: tuple[str, ...] = Field(default=(), description="checkpoints pushed too, each as ORG/NAME-<model>")
    branch: str = Field(default="main", description="where the commits go")
    tag: str = Field(default="", description="a name for the last commit; auto: from the hash of dvc.lock; empty: none")
    dry_run: bool = Field(default=False, description="print what would change and change nothing")
