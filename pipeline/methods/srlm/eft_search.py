"""SRLM's EFT data, first half: whole solutions that the policy samples to the EFT problems."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.records import Problem, SampleSet
from pipeline.inference.requests import Task
from pipeline.language.renderer import Renderer
from pipeline.methods.srlm.search import sample, statistics, too_long
from pipeline.methods.srlm.settings import FILE as FILE
from pipeline.methods.srlm.settings import EftSearch

__all__ = ["FILE", "EftSearch", "Row", "models", "search", "statistics", "too_long"]
Row = SampleSet


def models(policy: Path, value: Path) -> dict[str, Path]:
    """The policy alone: nothing is rated."""
    return {"policy": policy}


def search(renderer: Renderer, problem: Problem, settings: EftSearch, seed: int) -> Task[SampleSet]:
    """Whole solutions of one problem, equal ones merged, unscored."""
    return sample(renderer, problem, settings.samples, settings.sampling, seed)
