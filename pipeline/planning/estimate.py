"""A whole plan: every stage with tokens, hours and memory, their sums, and what was assumed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.machine import Machine
from pipeline.core.memory import BYTES, Architecture
from pipeline.core.workload import Work
from pipeline.params.schema import Common
from pipeline.planning import needs
from pipeline.planning.assumptions import MEANING, assumptions, stated
from pipeline.planning.hardware import Devices, Need
from pipeline.planning.sizes import shape_of, sizes
from pipeline.planning.stages import Planned, Stages

_UNFINISHED = 12  # bytes a parameter of a checkpoint to go on from: fp32 weight and moments
_TEXT = 4  # bytes of a sampled token's text in a tree, compressed with what stands beside it
COUNTS = ("requests", "prompt_tokens", "sampled_tokens", "trained_tokens")


@dataclass(frozen=True)
class Rates:
    """What this machine does in a second and what a server asks; None: unknown, so no hours or no spending.

    tokens: sampled tokens a second of one replica. tflops: of one device in training. price_in, price_out: of a million
    tokens.
    """

    tokens: float | None = None
    tflops: float | None = None
    price_in: float | None = None
    price_out: float | None = None


@dataclass(frozen=True)
class Line:
    """One stage of a plan; hours and spending are None where no rate is known."""

    planned: Planned
    flops: float
    hours: float | None
    need: Need | None
    disk: float

    def counts(self) -> dict[str, float]:
        """Requests and tokens of our own machine, as a run's list of stages names them."""
        work = self.planned.work
        values = work.requests, work.prompt_tokens, work.sampled_tokens, self.planned.trained_tokens
        return dict(zip(COUNTS, values, strict=True))


@dataclass(frozen=True)
class Estimate:
    """All lines, and lines on assumptions. unfinished: bytes of disk beside `disk` while a training runs.

    capped: a line for each of the annotator's caps that is less than what is counted.
    """

    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    model: Architecture | None
    spending: float | None
    unfinished: float
    capped: tuple[str, ...]

    @property
    def paid(self) -> Work:
        """What all stages ask of servers."""
        return sum((line.planned.paid for line in self.lines), Work())

    @property
    def disk(self) -> float:
        """Bytes of data and checkpoints at the end, the base's copy (M0, in bf16) with them."""
        return sum(line.disk for line in self.lines) + (2.0 * self.model.parameters if self.model else 0)

    def unfit(self) -> list[str]:
        """A line for each stage that does not fit, with what to change; those of one reason once."""
        stages: dict[str, str] = {}
        for line in self.lines:
            if line.need and not line.need.fits:
                stages.setdefault(str(line.need), line.planned.stage)
        return [f"{stage} {text}" for text, stage in stages.items()]


def estimate(
    params: Common,
    machine: Machine,
    devices: Devices,
    rates: Rates,
    given: Sequence[str],
    model: Architecture | None = None,
) -> Estimate:
    """The plan of a checked params file. model: the base's shape where the caller knows it better than we."""
    assumed = assumptions(params.domain, given)
    lengths, notes = sizes(params, assumed, stated(given))
    model = model or shape_of(params, params.base.model)
    stages = Stages(params, lengths).planned()
    shapes = {name: shape_of(params, name) for stage in stages for name in stage.served} | {params.base.model: model}

    def line(stage: Planned) -> Line:
        training = stage.training(params) if stage.section else None
        # FLOPs of a parameter (Kaplan et al. 2020): frozen ones have no gradient, DPO has a reference
        per_token = (4 if training and training.lora.rank else 6) + 2 * (stage.section == "dpo")
        flops = per_token * model.parameters * stage.trained_tokens if model else 0.0
        tokens, hours = stage.work.sampled_tokens + assumed["prefill"] * stage.work.prompt_tokens, None
        if tokens and rates.tokens:
            hours = tokens / rates.tokens / machine.inference.engines / 3600
        if flops and rates.tflops:
            hours = flops / rates.tflops / 1e12 / machine.training.processes / 3600
        checkpoint = float(model.parameters * BYTES[training.saved_dtype]) if model and training else 0.0
        needed = needs.need(stage, params, machine, devices, shapes)
        return Line(stage, flops, hours, needed, checkpoint + _TEXT * stage.work.sampled_tokens)

    lines = tuple(map(line, stages))
    paid = sum((line.planned.paid for line in lines), Work())
    spending = None
    if rates.price_in is not None and rates.price_out is not None:  # both or none
        spending = (paid.prompt_tokens * rates.price_in + paid.sampled_tokens * rates.price_out) / 1e6
    notes += _notes(params, machine, devices, rates, model)
    notes += [f"{name} {value:g}: {MEANING.get(name, '')}" for name, value in lengths.assumed.items()]
    whole = any(not settings.lora.rank for settings in (params.prm, params.sft, params.dpo))
    kept = min(machine.training.processes, 2) + 1 if machine.training.save_steps else 0  # the next one beside them
    unfinished = kept * _UNFINISHED * model.parameters if model and whole else 0
    return Estimate(lines, tuple(notes), model, spending, unfinished, tuple(_capped(params, lines)))


def _capped(params: Common, lines: Sequence[Line]) -> Iterator[str]:
    work = sum((line.planned.paid for line in lines if line.planned.stage.startswith(("ift", "eft@"))), Work())
    counts = {"max_requests": work.requests, "max_tokens_spent": work.prompt_tokens + work.sampled_tokens}
    for name, counted in counts.items():
        if 0 < (cap := getattr(params.annotator, name)) < counted:
            yield f"annotator.{name}: {cap:,} end before the {counted:,.0f} that are counted"


def _notes(
    params: Common, machine: Machine, devices: Devices, rates: Rates, model: Architecture | None
) -> Iterator[str]:
    """What is known of model, device and rates, and what is not counted."""
    unknown = f"memory and FLOPs: unknown, no config.json of {params.base.model} here that can be read; give --config"
    yield f"model: {params.base.model}, {model.parameters:,} parameters" if model else unknown
    yield f"device: {devices}"
    engines = "unknown; give --tokens-per-second of one replica, or --measured"
    if rates.tokens:
        engines = f"{rates.tokens:g} sampled tokens/s a replica, {machine.inference.engines} replica(s)"
    training = "unknown; give --tflops of one device, or --measured"
    if rates.tflops:
        training = f"{rates.tflops:g} TFLOP/s a device, {machine.training.processes} device(s)"
    yield f"engine hours: {engines}"
    yield f"training hours: {training}"
    if params.base.model == "train":
        yield "the base model's own training: not counted"
    if params.problems.ratings:
        yield "people's pairs (problems.ratings): not counted, in EFT data and SFT"


def measured(path: Path) -> dict[str, dict[str, Any]]:
    """The last line of each stage of a list of runs (.work/runs.jsonl). Raises PipelineError for an unreadable one."""
    wrong = f"{path}: no list of runs ({{}}); give .work/runs.jsonl of a run"
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        runs = {str(row["stage"]): row for row in rows}
        counts = [float(row[name]) for row in runs.values() for name in ("seconds", *COUNTS) if name in row]
        whole = all({"seconds", *COUNTS[:3]} <= {*row} for row in runs.values() if "requests" in row)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PipelineError(wrong.format(error)) from error
    if not (counts and whole and all(0 <= count < float("inf") for count in counts)):
        raise PipelineError(wrong.format("no counts and seconds of stages"))
    return runs


def rates_of(runs: Mapping[str, Mapping[str, Any]], lines: Sequence[Line], machine: Machine, prefill: float) -> Rates:
    """Rates of an earlier run on this machine: tokens a second of a replica, TFLOP/s of a device."""
    asking = [run for run in runs.values() if run.get("requests")]
    engine = [(run["sampled_tokens"] + prefill * run["prompt_tokens"], run["seconds"]) for run in asking]
    trained = [
        (line.flops * run["trained_tokens"] / line.planned.trained_tokens, run["seconds"])
        for line in lines
        if (run := runs.get(line.planned.stage)) and run.get("trained_tokens") and line.planned.trained_tokens
    ]
    speed, work = (sum(a for a, _ in x) / s if (s := sum(b for _, b in x)) else None for x in (engine, trained))
    return Rates(speed and speed / machine.inference.engines, work and work / 1e12 / machine.training.processes)
