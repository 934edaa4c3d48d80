"""machine.yaml: how this machine runs a stage. Nothing here decides a result, so it is in no cache key."""

from __future__ import annotations

import os
import re
import shlex
import string
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from pipeline.core.config import Count, Positive, Section, build, read_yaml
from pipeline.core.lease import visible_gpus

FILE = Path("machine.yaml")
# What a command template may hold in braces.
FIELDS = (
    "model", "host", "port", "dtype", "max_model_len", "max_num_seqs", "tensor_parallel", "gpu_memory_utilization",
    "devices", "replica", "name", "python",
)  # fmt: skip


def _command(template: str) -> str:
    try:
        words = shlex.split(template)
        names = [field for word in words for _, field, _, _ in string.Formatter().parse(word) if field is not None]
    except ValueError as error:
        raise ValueError(f"must be a command with {{fields}} in braces ({error})") from error
    if odd := [field for field in names if field not in FIELDS]:
        raise ValueError(f"knows no {{{odd[0]}}}; give {', '.join(f'{{{field}}}' for field in FIELDS)}")
    if template and not {"model", "port"} <= set(names):
        raise ValueError("must say where {model} and {port} stand in the command")
    return template


def _address(url: str) -> str:
    if not re.fullmatch(r"https?://[\w.-]+(:\d{1,5})?(/[\w./-]*)?", url):
        raise ValueError("must be an address such as http://node1:8000, without user and password")
    return url


def _launcher(launcher: str) -> str:
    if launcher not in ("none", "accelerate") and "{job}" not in launcher:
        raise ValueError("must be none, accelerate or a command that has {job} in it")
    return launcher


class Inference(Section):
    """vLLM: replicas on this machine, or servers."""

    replicas: Count = Field(
        default=0, description="engines of one model, each with the whole of it; 0: as many as GPUs, or cores, allow"
    )
    tensor_parallel: Positive = Field(default=1, description="GPUs of one replica, over which its layers are split")
    gpu_memory_utilization: float = Field(
        default=0.9, gt=0, le=1, description="share of a GPU's memory; models of one stage divide it"
    )
    max_num_seqs: Positive = Field(default=128, description="requests that one replica runs at once")
    concurrent_problems: Positive = Field(default=256, description="problems in work at once")
    kv_cache_tokens: Positive = Field(default=65536, description="KV cache of one replica on a CPU")
    serve: Annotated[str, AfterValidator(_command)] = Field(
        default="", description='command that starts a server of {model} at {port}; "": replicas in processes'
    )
    endpoints: tuple[Annotated[str, AfterValidator(_address)], ...] = Field(
        default=(), description="servers that run, or where `serve` starts them; []: on this machine"
    )
    timeout: float = Field(default=600.0, gt=0, description="seconds of one request to a server")

    @property
    def engines(self) -> int:
        """Engines of one model: one at each endpoint, or the replicas."""
        return len(self.endpoints) or self.replicas

    @model_validator(mode="after")
    def _agree(self) -> Inference:
        if self.endpoints and self.replicas > 1:
            raise ValueError("replicas must be 1: each of the endpoints is one")
        if self.endpoints and self.tensor_parallel > 1 and not self.serve:
            raise ValueError("tensor_parallel must be 1: it is what the endpoints were started with")
        if self.endpoints and "{devices}" in self.serve:
            raise ValueError("serve must not name {devices}, which are this machine's, where endpoints are given")
        if len(set(self.endpoints)) < len(self.endpoints):
            raise ValueError("endpoints must differ")
        return self


class Training(Section):
    """TRL on this machine. Another number of devices or rows changes weights by rounding alone."""

    threads: Positive = Field(default=1, description="of a training on a CPU")
    save_steps: Count = Field(default=0, description="updates between checkpoints to go on from when killed; 0: none")
    launcher: Annotated[str, AfterValidator(_launcher)] = Field(
        default="none",
        description="none (one process, one device), accelerate, or a command with {job} in it (docs/gpu.md)",
    )
    config: str = Field(
        default="fsdp2", description="of accelerate: ddp, fsdp2, zero3 (pipeline/training/launchers) or your own file"
    )
    processes: Positive = Field(default=1, description="of accelerate, or that another launcher starts; one a device")
    micro_batch: Count = Field(default=0, description="rows that a device takes at once; 0: its share of batch_size")
    gradient_checkpointing: bool = Field(default=False, description="less memory, a third more time")
    report_to: Literal["none", "tensorboard", "wandb", "mlflow", "trackio"] = Field(
        default="none", description="where curves go beside the kept ones; the package must be installed"
    )

    @model_validator(mode="after")
    def _agree(self) -> Training:
        if self.launcher == "none" and self.processes > 1:
            raise ValueError("processes must be 1 with launcher: none, which starts one; give launcher: accelerate")
        return self


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


def load(path: Path = FILE, gpus: int | None = None) -> Machine:
    """The machine's settings; the defaults where machine.yaml is absent. gpus: of a machine that is not this one.

    Raises PipelineError, one line a fault.
    """
    settings = build(Machine, read_yaml(path) if path != FILE or path.is_file() else {}, f"{path}: ")
    if settings.inference.replicas:
        return settings
    here, present = settings.inference, len(visible_gpus()) if gpus is None else gpus
    fitting = max(1, present // here.tensor_parallel) if present else len(os.sched_getaffinity(0))
    most = here.model_copy(update={"replicas": 1 if here.endpoints else fitting})
    return settings.model_copy(update={"inference": most})
