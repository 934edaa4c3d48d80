"""The pairs of a round on which the judge and the implicit DPO reward agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

from pipeline.core import files
from pipeline.core.command import Stage
from pipeline.core.config import Prompts, Section
from pipeline.core.records import Dropped, Preference
from pipeline.core.workload import Sizes, Work
from pipeline.methods.preferences import key
from pipeline.training.margins import implicit_margins
from pipeline.training.settings import Dpo

BY = "before"  # the second model: the one that the searching model was trained from


def cost(settings: Section, sizes: Sizes) -> Work:
    """What is asked of an engine for one pair: nothing, two forward passes of the trainer give its margin."""
    return Work()


def pairs(
    stage: Stage, final: ModuleType, grading: ModuleType
) -> tuple[list[Preference], list[Dropped], dict[str, Any]]:
    """The pairs of the variant, what was left out, and no further statistics."""
    rows = files.read(stage.judged / "train.parquet", Preference)
    prompts, batch = stage.section("prompts", Prompts), stage.section("dpo", Dpo).batch_size
    margins = implicit_margins(stage.policy, stage.second, rows, prompts, batch, stage.machine.training.threads)
    return *agreeing(rows, margins, stage.key), {}


def agreeing(
    pairs: Sequence[Preference], margins: Sequence[float], iteration: str
) -> tuple[list[Preference], list[Dropped]]:
    """Pairs on which a second reward agrees (its margin is above zero), and the others, dropped as `disagrees`."""
    kept: list[Preference] = []
    dropped: list[Dropped] = []
    for pair, margin in zip(pairs, margins, strict=True):
        if margin > 0:
            kept.append(replace(pair, iteration=iteration))
        else:
            dropped.append(Dropped("pairs", key(pair), "disagrees", f"{margin:.4f}"))
    return kept, dropped
