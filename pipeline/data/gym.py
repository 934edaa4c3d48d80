"""Items of a reasoning-gym dataset (Stojanovski et al. 2025)."""

from __future__ import annotations

import json
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.data.readers import Rows
from pipeline.data.settings import GYM, Source
from pipeline.data.values import brief


def named(source: Source) -> Source:
    """The source with the columns and the grader of reasoning-gym; another grader that params.yaml names stays.

    Raises PipelineError where the package is absent or has no such dataset.
    """
    if find_spec("reasoning_gym") is None:
        raise PipelineError(
            f"{source.path}: reasoning-gym is not installed; `pip install reasoning-gym==0.1.25` into the environment"
        )
    from reasoning_gym import factory

    name = source.path.removeprefix(GYM)
    if name not in factory.DATASETS:
        near = ", ".join(get_close_matches(name, factory.DATASETS)) or ", ".join(sorted(factory.DATASETS))
        raise PipelineError(f"{source.path}: no such dataset of reasoning-gym; did you mean {near}?")
    columns = {"prompt": "question", "answer": "answer", "grader": source.grader or source.path}
    return source.model_copy(update=columns)


def read(source: Source) -> Rows:
    """Items numbered from 1, each with `entry`, what its grader compares with.

    Raises PipelineError where the dataset refuses its configuration, makes other items for the same seed, or has items
    that are no JSON.
    """
    made = _made(source)
    if made != _made(source):
        raise PipelineError(f"{source.path}: it makes other items each time for one seed; take another dataset")
    yield from enumerate(made, start=1)


def _made(source: Source) -> list[dict[str, Any]]:
    import reasoning_gym

    config = {"size": source.size, "seed": source.seed}
    if isinstance(source.config, dict):
        config = source.config | config
    try:
        items = [dict(item) for item in reasoning_gym.create_dataset(source.path.removeprefix(GYM), **config)]
        entries = [json.dumps({"config": config, "item": item}, sort_keys=True) for item in items]
    except (TypeError, ValueError, AssertionError) as error:
        raise PipelineError(
            f"{source.path}: {brief(str(error), 160)}; correct `config`, or take another dataset"
        ) from error
    return [item | {"entry": entry} for item, entry in zip(items, entries, strict=True)]
