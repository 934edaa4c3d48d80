"""SRLM's EFT data, first half: whole solutions that the policy samples to the EFT problems."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.core.records import Problem, SampleSet
from pipeline.inference.requests import Task
from pipeline.language.renderer import Renderer
from pipeline.methods.srlm.search import sample, statistics, too_long
from pipeline.methods.srlm.settings import FILE as FILE
from pipeline.methods.srlm.settings import EftSearch

__all__ = ["FILE", "EftSearch", "Row", "models", "statistics", "tasks", "too_long"]
Row = SampleSet


def models(policy: Path, value: Path) -> dict[str, Path]:
    """The policy alone: nothing is rated."""
    return {"policy": policy}


def tasks(
    renderer: Renderer, problems: Sequence[Problem], settings: EftSearch, seed: int, value: Path
) -> dict[str, Task[SampleSet]]:
    """Whole solutions of each problem, by its id, equal ones merged, unscored."""
    how = settings.samples, settings.sampling, seed
    return {problem.problem_id: sample(renderer, problem, *how) for problem in problems}
