"""machine.yaml: how this machine runs a stage. Nothing here decides a result, so it is in no cache key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from pipeline.core.config import Count, Positive, Section, build, read_yaml

FILE = Path("machine.yaml")


class Inference(Section):
    """vLLM on this machine."""

    replicas: Positive = Field(default=1, description="processes, each with the whole model (CPU: one a core)")
    max_num_seqs: Positive = Field(default=128, description="requests that one replica runs at once")
    concurrent_problems: Positive = Field(default=256, description="problems in work at once")
    kv_cache_tokens: Positive = Field(default=65536, description="KV cache of one replica on a CPU")
    tensor_parallel: Positive = Field(default=1, description="GPUs of one replica")
    gpu_memory_utilization: float = Field(default=0.9, gt=0, le=1, description="share of a GPU's memory for a replica")


class Training(Section):
    """TRL on this machine."""

    threads: Positive = Field(default=1, description="of a training on a CPU")
    save_steps: Count = Field(default=0, description="updates between checkpoints to go on from when killed; 0: none")
    processes: Positive = Field(default=1, description="devices that share a training")
    micro_batch: Count = Field(
        default=0, description="rows that one device takes at once; 0: its whole part of a batch"
    )


class Endpoints(Section):
    """OpenAI-compatible servers, the annotator's and the references'."""

    concurrency: Positive = Field(default=16, description="requests under way at once")
    max_retries: Count = Field(default=6, description="of each request, with back-off")
    timeout: float = Field(default=300.0, gt=0, description="seconds of one request")


class Machine(Section):
    """The whole file; a section or key that is absent has its default."""

    inference: Inference = Inference()
    training: Training = Training()
    endpoints: Endpoints = Endpoints()


def load(path: Path = FILE) -> Machine:
    """The machine's settings; the defaults where there is no such file. PipelineError, one line a fault."""
    document: dict[str, Any] = read_yaml(path) if path.is_file() else {}
    return build(Machine, document, f"{path}: ")
