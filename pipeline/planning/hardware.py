"""Hours and memory of planned stages on this machine, or on one that the command line describes."""

from __future__ import annotations

import math
import os
import subprocess
from dataclasses import dataclass
from functools import partial

from pipeline.core import memory
from pipeline.core.errors import PipelineError
from pipeline.core.machine import Machine
from pipeline.core.memory import GIB, Architecture, Memory
from pipeline.params.schema import Common
from pipeline.planning.sizes import shape_of_base
from pipeline.planning.stages import Planned


@dataclass(frozen=True)
class Devices:
    """gpus: how many (0: a CPU). capacity: bytes of one GPU's memory, or of the machine's."""

    gpus: int
    capacity: float

    def __str__(self) -> str:
        size = f"{self.capacity / GIB:.0f} GiB"
        return f"{self.gpus} GPU(s) of {size}" if self.gpus else f"a CPU, {size}"


def devices(gpus: int | None = None, gib: float | None = None) -> Devices:
    """What the command line says, else what nvidia-smi sees, else this machine's memory. Raises PipelineError."""
    if gpus is not None or gib is not None:
        if not gib or gib < 0 or (gpus is not None and gpus < 1):
            raise PipelineError("--gpus and --gpu-memory: must be above 0, --gpu-memory given in GiB of one GPU")
        return Devices(gpus or 1, gib * GIB)
    try:
        query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
        seen = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()
        if seen:
            return Devices(len(seen), min(map(float, seen)) * 2**20)
    except (OSError, subprocess.CalledProcessError, ValueError):
        pass
    return Devices(0, float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")))


@dataclass(frozen=True)
class Need:
    """What one stage takes of a device. available: bytes that it may take. advice: what to change where it does not."""

    memory: Memory
    available: float
    advice: str

    @property
    def fits(self) -> bool:
        return self.memory.total <= self.available

    @property
    def hopeless(self) -> bool:
        """Whether it cannot fit, however short the rows and small the batches are."""
        certain = [size for name, size in self.memory.parts.items() if name not in ("activations", "head")]
        return sum(certain) > self.available

    def __str__(self) -> str:
        needed, available = self.memory.total / GIB, self.available / GIB
        return f"does not fit: {needed:.1f} GiB a device ({self.memory}), {available:.1f} are there; {self.advice}"


def refuse(params: Common, machine: Machine, devices: Devices) -> None:
    """Raises PipelineError, a line each, for the kinds of stages that cannot fit the devices whatever the data are.

    Nothing is refused where the base model's shape is not known.
    """
    if (model := shape_of_base(params)) is None:
        return
    stages = [Planned("a search", models=1)]
    stages += [Planned(f"training ({name})", trained_tokens=1, section=name) for name in ("prm", "sft", "dpo")]
    needs = [(stage.stage, need(stage, params, machine, devices, model)) for stage in stages]
    if lines := [f"{params.base.model}: {stage} {one}" for stage, one in needs if one and one.hopeless]:
        raise PipelineError("\n".join(lines))


def need(stage: Planned, params: Common, machine: Machine, devices: Devices, model: Architecture) -> Need | None:
    """The memory of a stage, None for one that takes none."""
    if stage.section and stage.trained_tokens:
        return _training(stage, params, machine, devices, model)
    return _serving(stage, params, machine, devices, model) if stage.models else None


def _training(stage: Planned, params: Common, machine: Machine, devices: Devices, model: Architecture) -> Need:
    settings = getattr(params, stage.section).model_copy(update=stage.override or {})
    available = devices.capacity - memory.OVERHEAD if devices.gpus else devices.capacity
    whole = settings.batch_size

    def taken(processes: int, micro: int) -> Memory:
        rows = min(micro, -(-whole // processes)) * (2 if stage.section == "dpo" else 1)
        return memory.training(
            model, rows, settings.max_length, bf16=settings.bf16, processes=processes,
            sharded=processes > 1 and machine.training.config != "ddp", gpu=devices.gpus > 0,
            checkpointing=machine.training.gradient_checkpointing or processes > 1,
            adapters=model.adapters(settings.lora.rank, settings.lora.targets or model.matrices),
        )  # fmt: skip

    now = taken(machine.training.processes, machine.training.micro_batch or whole)
    if now.total <= available:
        return Need(now, available, "")
    for processes in (machine.training.processes, devices.gpus):
        for micro in (8, 4, 2, 1):
            if processes and taken(processes, micro).total <= available:
                fitting = f"training: {{processes: {processes}, micro_batch: {micro}}} in machine.yaml fits"
                return Need(now, available, fitting)
    enough = next((n for n in (2**power for power in range(16)) if taken(n, 1).total <= available), None)
    other = f"take {enough} such devices" if enough else "take devices with more memory"
    return Need(now, available, f"{other}, lower {stage.section}.max_length, train LoRA adapters or a smaller model")


def _serving(stage: Planned, params: Common, machine: Machine, devices: Devices, model: Architecture) -> Need:
    how, length, parallel = machine.inference, params.inference.max_model_len, machine.inference.tensor_parallel
    taken = partial(memory.serving, model, params.inference.dtype)
    if not devices.gpus:
        parts = {name: size * how.replicas * stage.models for name, size in taken(how.kv_cache_tokens).parts.items()}
        return Need(Memory(parts), devices.capacity, "lower inference.replicas or kv_cache_tokens in machine.yaml")
    # less what a forward pass of vLLM takes beside its cache
    available = devices.capacity * how.gpu_memory_utilization - 2 * GIB
    # a server at an endpoint has its node's GPUs for itself, beside the stage's other model
    busy = stage.models if how.endpoints else math.ceil(how.replicas * parallel * stage.models / devices.gpus)
    parts = {name: size * busy for name, size in taken(length, parallel).parts.items()}
    widths = [n for n in (1, 2, 4, 8, 16, 32) if not model.heads % n]
    enough = next((n for n in widths if taken(length, n).total <= available), None)
    replicas = devices.gpus // ((enough or 1) * stage.models)
    advice = "take GPUs with more memory, lower inference.max_model_len or take a smaller model"
    if enough and replicas:
        advice = f"inference: {{tensor_parallel: {enough}, replicas: {replicas}}} in machine.yaml fits"
    return Need(Memory(parts), available, advice)
