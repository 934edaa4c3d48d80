"""What each planned stage takes of a device's memory, whether that fits, and what makes it fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pipeline.core import machine, memory
from pipeline.core.errors import PipelineError
from pipeline.core.memory import GIB, Architecture, Memory
from pipeline.params.schema import Common
from pipeline.planning.hardware import Devices, Need
from pipeline.planning.sizes import shape_of
from pipeline.planning.stages import Planned, kinds
from pipeline.training.settings import Dpo, Training, rows_at_once

Shapes = Mapping[str, Architecture | None]  # of models by their names in params.yaml
_BESIDE = 2 * GIB  # what a forward pass of vLLM takes of a GPU beside weights and cache
_BLOCK = 32  # tokens of a block of the cache on a CPU
_ENGINE = 0.7 * GIB  # of a process with vLLM beside weights and cache (seen: 720 MiB with a million parameters)
_NODE = 8  # GPUs; more are hardly in one machine
_SEVERAL = " (over several machines: docs/gpu.md)"


def refuse(params: Common, here: machine.Machine, devices: Devices) -> None:
    """Raises PipelineError, a line each, for the kinds of stages that cannot fit the devices whatever the data are.

    Nothing is refused of a model whose shape is not known.
    """
    stages = kinds(params)
    shapes = {name: shape_of(params, name) for stage in stages for name in (*stage.served, params.base.model)}
    needs = [(stage, need(stage, params, here, devices, shapes)) for stage in stages]
    lines = {
        str(one): f"{', '.join(dict.fromkeys(stage.served)) or params.base.model}: {stage.stage} {one}"
        for stage, one in needs
        if one and one.hopeless
    }
    if lines:
        raise PipelineError("\n".join(lines.values()))


def need(stage: Planned, params: Common, here: machine.Machine, devices: Devices, shapes: Shapes) -> Need | None:
    """The memory of a stage; None for one that takes none here, or of a model of unknown shape.

    Raises PipelineError for settings of machine.yaml with which it cannot run at all.
    """
    if stage.section and stage.trained_tokens:
        model = shapes[params.base.model]
        return _training(stage, params, here.training, _Trainings(model, devices)) if model else None
    models = [model for name in stage.served if (model := shapes[name])]
    how = here.inference
    if not models or len(models) < len(stage.served) or (how.endpoints and not (how.serve and devices.gpus)):
        return None
    if not devices.gpus:
        return _serving_on_a_cpu(models, params, how, devices)
    together = [models]
    for one in kinds(params):
        beside = [model for name in one.served if (model := shapes.get(name))]
        if beside and len(beside) == len(one.served):
            together.append(beside)
    return _serving_on_gpus(models, together, params, how, devices)


@dataclass(frozen=True)
class _Trainings:
    """Trainings of one model on devices of one kind."""

    model: Architecture
    devices: Devices

    def memory(self, settings: Training, here: machine.Training) -> Memory:
        """Of one device. Raises PipelineError for rows that cannot be spread so."""
        rows, _ = rows_at_once(settings.batch_size, here.micro_batch, here.processes)
        several = here.processes > 1
        return memory.training(
            self.model, rows * (2 if isinstance(settings, Dpo) else 1), settings.max_length, bf16=settings.bf16,
            processes=here.processes, sharded=several and here.config != "ddp", gpu=self.devices.gpus > 0,
            # pipeline/training/launchers/fsdp2.yaml turns it on, the others do not
            checkpointing=here.gradient_checkpointing or (several and here.config == "fsdp2"),
            adapters=self.model.adapters(settings.lora.rank, settings.lora.targets or self.model.matrices),
        )  # fmt: skip

    def available(self, here: machine.Training) -> float:
        """Bytes for one process; those on a CPU share its memory."""
        if self.devices.gpus:
            return self.devices.capacity - memory.OVERHEAD
        return self.devices.capacity / (here.processes if here.launcher == "accelerate" else 1)

    def fit(self, here: machine.Training, trainings: Sequence[Training]) -> bool:
        """Whether each of them can be spread so, and fits."""
        with suppress(PipelineError):
            return all(self.memory(one, here).total <= self.available(here) for one in trainings)
        return False


def _training(stage: Planned, params: Common, here: machine.Training, trainings: _Trainings) -> Need:
    settings = stage.training(params)
    try:
        taken, available = trainings.memory(settings, here), trainings.available(here)
    except PipelineError as error:
        raise PipelineError(f"{stage.section}.{error}") from error
    if taken.total <= available:
        return Need(taken, available, "")
    together = [settings, *(one.training(params) for one in kinds(params) if one.section)]
    for change in _changes(here, trainings.devices.gpus):
        if trainings.fit(here.model_copy(update=change), together):
            words = ", ".join(f"{name}: {str(value).lower()}" for name, value in change.items())
            several = _SEVERAL if change.get("processes", 1) > _NODE else ""
            return Need(taken, available, f"training: {{{words}}} in machine.yaml fits{several}")
    return Need(taken, available, _other_devices(stage.section, settings, here, trainings))


def _changes(here: machine.Training, gpus: int) -> Iterator[dict[str, Any]]:
    """Changes of machine.yaml, the smaller first."""
    changes: list[dict[str, Any]] = [{}]
    if gpus > 1 and here.launcher in ("none", "accelerate"):
        changes += [{"launcher": "accelerate", "config": "fsdp2", "processes": n} for n in range(gpus, 1, -1)]
    for change in [*changes, {"gradient_checkpointing": True}]:
        yield from (change | {"micro_batch": rows} for rows in (8, 4, 2, 1))


def _other_devices(section: str, settings: Training, here: machine.Training, trainings: _Trainings) -> str:
    """What would fit where no change of machine.yaml does."""
    smallest, choices = here.model_copy(update={"micro_batch": 1, "gradient_checkpointing": True}), []
    for count in (2**power for power in range(1, 16)):
        if trainings.fit(smallest.model_copy(update={"processes": count, "config": "fsdp2"}), [settings]):
            choices.append(f"take {count} such devices (launcher: accelerate, config: fsdp2, micro_batch: 1)")
            break
    adapters = settings.model_copy(update={"lora": settings.lora.model_copy(update={"rank": 16, "targets": ()})})
    if not settings.lora.rank and trainings.fit(smallest, [adapters]):
        choices.append(
            f"train adapters ({section}.lora: {{rank: 16}}; training: {{gradient_checkpointing: true, micro_batch: 1}})"
        )
    return f"{', '.join([*choices, 'take devices with more memory'])} or a smaller model"


def _serving_on_a_cpu(models: Sequence[Architecture], params: Common, how: machine.Inference, devices: Devices) -> Need:
    """Replicas of each model share the machine's memory. Raises PipelineError for a cache that no request fits."""
    least = (-(-params.inference.max_model_len // _BLOCK) + 1) * _BLOCK  # vLLM keeps a block for itself
    if how.kv_cache_tokens < least and not how.serve:
        raise PipelineError(
            f"{machine.FILE}: inference.kv_cache_tokens: {how.kv_cache_tokens} hold no request of "
            f"{params.inference.max_model_len} tokens (inference.max_model_len); give {least} or more"
        )
    each = [memory.serving(model, params.inference.dtype, how.kv_cache_tokens).parts for model in models]
    parts = {name: sum(one[name] for one in each) for name in each[0]} | {"processes": _ENGINE * len(models)}
    fitting = int(devices.capacity // sum(parts.values()))
    advice = "lower kv_cache_tokens in machine.yaml, take a machine with more memory or a smaller model"
    advice = f"inference: {{replicas: {fitting}}} in machine.yaml fits" if fitting else advice
    return Need(Memory({name: size * how.replicas for name, size in parts.items()}), devices.capacity, advice)


def _serving_on_gpus(
    models: Sequence[Architecture], together: Sequence[Sequence[Architecture]], params: Common, how: machine.Inference,
    devices: Devices,
) -> Need:  # fmt: skip
    """Each model of a stage has an equal share of the same GPUs, in which the largest must fit.

    together: the models of each kind of stage, for all of which one machine.yaml holds.
    """
    _require_places(models, how, devices.gpus)

    def taken(models: Sequence[Architecture], size: int, length: int = params.inference.max_model_len) -> Memory:
        largest = max(models, key=lambda model: model.parameters)
        one = memory.serving(largest, params.inference.dtype, length, size)
        return Memory({name: part * len(models) for name, part in one.parts.items()})

    def available(models: Sequence[Architecture]) -> float:
        return devices.capacity * how.gpu_memory_utilization - len(models) * _BESIDE

    now, there = taken(models, how.tensor_parallel), available(models)
    if now.total <= there:
        return Need(now, there, "")
    sizes = [n for n in models[0].splits if (n <= devices.gpus or how.endpoints)
             and all(n in model.splits for each in together for model in each)]  # fmt: skip
    for size in sizes:
        if all(taken(each, size).total <= available(each) for each in together):
            replicas = "" if how.endpoints else f", replicas: {devices.gpus // size}"
            several = _SEVERAL if devices.gpus > _NODE and not how.endpoints else ""
            return Need(now, there, f"inference: {{tensor_parallel: {size}{replicas}}} in machine.yaml fits{several}")
    choices = [f"lower inference.max_model_len to {n} with tensor_parallel: {sizes[-1]}"
               for n in (2**power for power in range(15, 9, -1))
               if all(taken(each, sizes[-1], n).total <= available(each) for each in together)]  # fmt: skip
    return Need(now, there, ", ".join([*choices[:1], "take GPUs with more memory or a smaller model"]))


def _require_places(models: Sequence[Architecture], how: machine.Inference, gpus: int) -> None:
    """Raises PipelineError for replicas that cannot be placed on the GPUs."""
    where, size = f"{machine.FILE}: inference", how.tensor_parallel
    if odd := [model for model in models if size not in model.splits]:
        fitting = ", ".join(map(str, odd[0].splits))
        raise PipelineError(
            f"{where}.tensor_parallel: {odd[0].heads} heads cannot be split over {size}; give one of {fitting}"
        )
    if not how.endpoints and how.replicas * size > gpus:
        raise PipelineError(
            f"{where}.replicas: {how.replicas} of {size} GPU(s) each need {how.replicas * size}, {gpus} are there; "
            "lower replicas or tensor_parallel"
        )
