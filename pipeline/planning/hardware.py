"""Hours and memory of planned stages on this machine, or on one that the command line describes."""

from __future__ import annotations

import math
import os
import subprocess
from dataclasses import dataclass

from pipeline.core import memory
from pipeline.core.errors import PipelineError
from pipeline.core.machine import Machine
from pipeline.core.memory import GIB, Architecture, Memory
from pipeline.params.schema import Common
from pipeline.planning.sizes import shape_of_base
from pipeline.planning.stages import Planned


@dataclass(frozen=True)
class Devices:
    """gpus: how many (0: a CPU); room: bytes of one GPU's memory, or of the machine's."""

    gpus: int
    room: float

    def __str__(self) -> str:
        """For the assumptions."""
        return f"{self.gpus} GPU(s) of {self.room / GIB:.0f} GiB" if self.gpus else f"a CPU, {self.room / GIB:.0f} GiB"


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
    """What one stage takes of a device. room: bytes that it may take; advice: what to change where it does not fit."""

    memory: Memory
    room: float
    advice: str

    @property
    def fits(self) -> bool:
        """Whether it fits."""
        return self.memory.total <= self.room

    @property
    def hopeless(self) -> bool:
        """Whether it cannot fit, however short the rows and small the batches are."""
        certain = [size for name, size in self.memory.parts.items() if name not in ("activations", "head")]
        return sum(certain) > self.room

    def __str__(self) -> str:
        """Why it does not fit, and what to change."""
        needed, room = self.memory.total / GIB, self.room / GIB
        return f"does not fit: {needed:.1f} GiB a device ({self.memory}), {room:.1f} are there; {self.advice}"


def refuse(found: Common, here: Machine, there: Devices) -> None:
    """Raises PipelineError, a line each, for the kinds of stages that cannot fit `there` whatever the data are.

    Nothing is refused where the base model's shape is not known.
    """
    if (model := shape_of_base(found)) is None:
        return
    stages = [Planned("a search", models=1)]
    stages += [Planned(f"training ({name})", trained_tokens=1, section=name) for name in ("prm", "sft", "dpo")]
    needs = [(stage.stage, need(stage, found, here, there, model)) for stage in stages]
    if lines := [f"{found.base.model}: {stage} {one}" for stage, one in needs if one and one.hopeless]:
        raise PipelineError("\n".join(lines))


def need(stage: Planned, found: Common, here: Machine, there: Devices, model: Architecture) -> Need | None:
    """The memory of a stage, None for one that takes none."""
    if stage.section and stage.trained_tokens:
        return _training(stage, found, here, there, model)
    return _serving(stage, found, here, there, model) if stage.models else None


def _training(stage: Planned, found: Common, here: Machine, there: Devices, model: Architecture) -> Need:
    settings = getattr(found, stage.section).model_copy(update=stage.override or {})
    room = there.room - memory.OVERHEAD if there.gpus else there.room
    whole = settings.batch_size

    def taken(processes: int, micro: int) -> Memory:
        rows = min(micro, -(-whole // processes)) * (2 if stage.section == "dpo" else 1)
        return memory.training(
            model, rows, settings.max_length, bf16=settings.bf16, processes=processes,
            sharded=processes > 1 and here.training.config != "ddp", gpu=there.gpus > 0,
            checkpointing=here.training.gradient_checkpointing or processes > 1,
            adapters=model.adapters(settings.lora.rank, settings.lora.targets or model.matrices),
        )  # fmt: skip

    now = taken(here.training.processes, here.training.micro_batch or whole)
    if now.total <= room:
        return Need(now, room, "")
    powers = [2**n for n in range(16)]
    for processes in (here.training.processes, there.gpus):
        for micro in (8, 4, 2, 1):
            if processes and taken(processes, micro).total <= room:
                return Need(
                    now, room, f"training: {{processes: {processes}, micro_batch: {micro}}} in machine.yaml fits"
                )
    enough = next((n for n in powers if taken(n, 1).total <= room), None)
    other = f"take {enough} such devices" if enough else "take devices with more memory"
    return Need(now, room, f"{other}, lower {stage.section}.max_length, train LoRA adapters or a smaller model")


def _serving(stage: Planned, found: Common, here: Machine, there: Devices, model: Architecture) -> Need:
    how, length, parallel = here.inference, found.inference.max_model_len, here.inference.tensor_parallel
    if not there.gpus:
        one = memory.serving(model, found.inference.dtype, how.kv_cache_tokens)
        parts = {name: size * how.replicas * stage.models for name, size in one.parts.items()}
        return Need(Memory(parts), there.room, "lower inference.replicas or kv_cache_tokens in machine.yaml")
    room = there.room * how.gpu_memory_utilization - 2 * GIB  # what a forward pass of vLLM takes beside its cache
    # a server at an endpoint has its node's GPUs for itself, beside the stage's other model
    busy = stage.models if how.endpoints else math.ceil(how.replicas * parallel * stage.models / there.gpus)
    one = memory.serving(model, found.inference.dtype, length, parallel)
    parts = {name: size * busy for name, size in one.parts.items()}
    widths = [n for n in (1, 2, 4, 8, 16, 32) if not model.heads % n]
    enough = next((n for n in widths if memory.serving(model, found.inference.dtype, length, n).total <= room), None)
    replicas = there.gpus // ((enough or 1) * stage.models)
    advice = "take GPUs with more memory, lower inference.max_model_len or take a smaller model"
    if enough and replicas:
        advice = f"inference: {{tensor_parallel: {enough}, replicas: {replicas}}} in machine.yaml fits"
    return Need(Memory(parts), room, advice)


def flops(stage: Planned, model: Architecture) -> float:
    """Of a training: 6 a parameter and token, and 2 more for the reference of DPO (Kaplan et al. 2020)."""
    return (8 if stage.section == "dpo" else 6) * model.parameters * stage.trained_tokens


def engine_tokens(stage: Planned, prefill: float) -> float:
    """Sampled tokens, and prompt tokens at `prefill` times a sampled one's time."""
    return stage.work.sampled_tokens + prefill * stage.work.prompt_tokens
