"""machine.yaml: how this machine runs a stage. Nothing here decides a result, so it is in no cache key."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from pipeline.core.config import Count, Positive, Section, build, read_yaml

FILE = Path("machine.yaml")


class Inference(Section):
    """vLLM on this machine."""

    replicas: Positive = Field(default=1, description="processes, each with the whole model (CPU: one a core)")
    max_num_seqs: Positive = Field(default=128, description="requests that one replica runs at once")
    concurrent_problems: Positive = Field(default=256, description="problems in work at once")
    kv_cache_tokens: Positive = Field(default=65536, description="KV cache of one replica on a CPU")


class Training(Section):
    """TRL on this machine. Another number of devices or rows changes weights by rounding alone."""

    threads: Positive = Field(default=1, description="of a training on a CPU")
    save_steps: Count = Field(default=0, description="updates between checkpoints to go on from when killed; 0: none")
    launcher: str = Field(
        default="none",
        description="none (one process, one device), accelerate, or a command with {job} in it (docs/gpu.md)",
    )
    config: str = Field(
        default="fsdp2", description="of accelerate: ddp, fsdp2, zero3 (pipeline/training/launchers) or your own file"
    )
    processes: Count = Field(default=0, description="of accelerate, one a device; 0: as many as this machine has GPUs")
    micro_batch: Count = Field(default=0, description="rows that a device takes at once; 0: its share of batch_size")
    gradient_checkpointing: bool = Field(default=False, description="less memory, a third more time")
    report_to: Literal["none", "tensorboard", "wandb", "mlflow", "trackio"] = Field(
        default="none", description="where curves go beside the kept ones; the package must be installed"
    )

    @field_validator("launcher")
    @classmethod
    def _known_or_a_command(cls, launcher: str) -> str:
        if launcher not in ("none", "accelerate") and "{job}" not in launcher:
            raise ValueError("must be none, accelerate or a command that has {job} in it")
        return launcher


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
