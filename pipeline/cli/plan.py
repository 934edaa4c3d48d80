"""`psr plan`: what a run will ask, take and cost, stage by stage, before it."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline import params
from pipeline.core import machine
from pipeline.core.errors import PipelineError
from pipeline.core.files import read_json
from pipeline.core.memory import GIB, architecture
from pipeline.planning import hardware
from pipeline.planning.assumptions import assumptions
from pipeline.planning.estimate import COUNTS, Estimate, Line, Rates, estimate, measured, rates_of

_HEAD = ("stage", "rows", "requests", "judging", "prompt", "sampled", "trained", "PFLOP", "hours", "GiB", "fits")


def add_command(commands: Any) -> None:
    """Add `plan` to the subcommands of `psr`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "plan",
        help="requests, tokens, hours, memory, disk and spending of every stage, before a run",
        description="Reads params.yaml, machine.yaml, and where they are at hand a few problems and the base model's "
        "tokenizer and config.json; writes nothing. What no file says is assumed and printed below the table. Prompt, "
        "sampled and trained are tokens, GiB what one device needs; a server's work is no part of `this machine`.",
    )
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="the file to read (params.yaml)")
    parser.add_argument("--machine", type=Path, default=machine.FILE, help="the machine's settings (machine.yaml)")
    parser.add_argument("--gpus", type=int, metavar="N", help="GPUs (else those of this machine)")
    parser.add_argument("--gpu-memory", type=float, metavar="GIB", help="memory of one GPU")
    parser.add_argument("--tokens-per-second", type=float, metavar="N", help="sampled tokens a second of one replica")
    parser.add_argument("--tflops", type=float, metavar="N", help="training TFLOP/s of one device")
    parser.add_argument("--price-in", type=float, metavar="P", help="price of a million prompt tokens")
    parser.add_argument("--price-out", type=float, metavar="P", help="price of a million output tokens")
    parser.add_argument("--assume", action="append", default=[], metavar="NAME=VALUE", help="another assumption")
    parser.add_argument("--config", type=Path, help="config.json of the base model, where it is not at hand")
    beside = "runs.jsonl of an earlier run: its rates, and its requests and tokens beside the plan's"
    parser.add_argument("--measured", type=Path, metavar="RUNS", help=beside)
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    settings, rates = params.check(args.params), _rates(args)
    devices = hardware.devices(args.gpus, args.gpu_memory)
    here = machine.load(args.machine, None if args.gpu_memory is None else devices.gpus)
    if args.config and not args.config.is_file():
        raise PipelineError(f"--config: no such file {args.config}; give the base model's config.json")
    shape = architecture(read_json(args.config), str(args.config)) if args.config else None
    plan = estimate(settings, here, devices, rates, args.assume, shape)
    runs = measured(args.measured) if args.measured else {}
    if runs:
        seen = rates_of(runs, plan.lines, here, assumptions(settings.domain, args.assume)["prefill"])
        own = {name: value for name, value in dataclasses.asdict(rates).items() if value is not None}
        plan = estimate(settings, here, devices, dataclasses.replace(seen, **own), args.assume, shape)
    print(json.dumps(as_json(plan, runs), indent=2) if args.json else as_text(plan, runs))


def _rates(args: argparse.Namespace) -> Rates:
    """What the command line says of rates and prices. Raises PipelineError for what cannot be."""
    speeds = {"--tokens-per-second": args.tokens_per_second, "--tflops": args.tflops}
    prices = {"--price-in": args.price_in, "--price-out": args.price_out}
    for name, value in (speeds | prices).items():
        if value is not None and not (0 <= value < float("inf") and (value or name in prices)):
            least = "0 or more" if name in prices else "above 0"
            raise PipelineError(f"{name}: must be a number {least}, is {value:g}")
    if len({price is None for price in prices.values()}) > 1:
        raise PipelineError("--price-in and --price-out: give both, or none")
    return Rates(*speeds.values(), *prices.values())


def as_json(plan: Estimate, runs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Every number of the plan; memory and disk in bytes, `measured`: of an earlier run's stage, where there is one."""
    stages = []
    for line in plan.lines:
        need, run = line.need, runs.get(line.planned.stage, {})
        memory = need and {"parts": dict(need.memory.parts), "bytes": need.memory.total, "available": need.available}
        stages.append(
            {
                "stage": line.planned.stage,
                "rows": line.planned.items,
                **line.counts(),
                "judge_calls": line.planned.work.judge_calls,
                "paid": dataclasses.asdict(line.planned.paid),
                "flops": line.flops,
                "hours": line.hours,
                "memory": memory,
                "fits": need and need.fits,
                "disk": line.disk,
                "measured": {name: run[name] for name in COUNTS if name in run},
            }
        )
    return {
        "stages": stages,
        "sums": {
            **_sums(plan.lines),
            "disk": plan.disk,
            "disk_while_training": plan.unfinished,
            "paid": dataclasses.asdict(plan.paid),
            "spending": plan.spending,
        },
        "does_not_fit": plan.unfit(),
        "capped": list(plan.capped),
        "assumptions": list(plan.notes),
    }


def _sums(lines: Sequence[Line]) -> dict[str, float | None]:
    """Requests, tokens, judge calls and FLOPs of all stages together; hours where those of every stage are known."""
    rows = [line.counts() | {"judge_calls": line.planned.work.judge_calls, "flops": line.flops} for line in lines]
    sums: dict[str, float | None] = {name: sum(row[name] for row in rows) for name in (*COUNTS, "judge_calls", "flops")}
    hours = [line.hours for line in lines if any(line.counts().values())]
    return sums | {"hours": None if None in hours else sum(hour or 0 for hour in hours)}


def as_text(plan: Estimate, runs: dict[str, dict[str, Any]]) -> str:
    """One aligned table, then sums, what does not fit, and the assumptions."""
    extra = ("requests", "prompt", "sampled", "trained") if runs else ()
    table = [[*_HEAD, *(f"{name} run" for name in extra)]]
    table += [[*_cells(line), *_beside(line, runs)] for line in plan.lines]
    requests, prompt, sampled, trained, judging, flops, hours = _sums(plan.lines).values()
    cells = (_count(value or 0) for value in (requests, judging, prompt, sampled, trained, (flops or 0) / 1e15))
    table.append(["this machine", "", *cells, "-" if hours is None else f"{hours:.2f}", "", ""])
    widths = [max(len(row[i]) for row in table if i < len(row)) for i in range(len(table[0]))]
    text = ["  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=False)))
            for row in table]  # fmt: skip
    paid = plan.paid
    text += ["", f"disk: {plan.disk / 1e9:.2f} GB of checkpoints and data at the end"]
    if plan.unfinished:
        text[-1] += f", {plan.unfinished / 1e9:.2f} GB more while a training runs (training.save_steps)"
    if paid.requests:
        price = "" if plan.spending is None else f", {plan.spending:,.2f} at these prices"
        text.append(
            f"servers: {paid.requests:,.0f} requests ({paid.judge_calls:,.0f} judging), {_count(paid.prompt_tokens)} "
            f"tokens in, {_count(paid.sampled_tokens)} out{price or ' (--price-in and --price-out give the spending)'}"
        )
    text += [*plan.capped, *_memory(plan.lines), *(plan.unfit() or (["everything fits"] if plan.model else []))]
    return "\n".join([*text, "", "assumptions:", *(f"  {note}" for note in plan.notes)])


def _memory(lines: Sequence[Line]) -> list[str]:
    """What takes the memory of one device, each distinct sum once."""
    stages: dict[str, list[str]] = {}
    for line in lines:
        if line.need:
            parts = f"{line.need.memory} of {line.need.available / GIB:.1f}"
            stages.setdefault(parts, []).append(line.planned.stage)
    return [f"GiB of a device, {names[0]}{', ...' * (len(names) > 1)}: {parts}" for parts, names in stages.items()]


def _cells(line: Line) -> list[str]:
    """A row of the table; what a server is asked stands in the place of our engines' work."""
    need, work = line.need, line.planned.work + line.planned.paid
    tokens = (work.prompt_tokens, work.sampled_tokens, line.planned.trained_tokens)
    counts = (line.planned.items, work.requests, work.judge_calls, *tokens, line.flops / 1e15)
    hours = "-" if line.hours is None else f"{line.hours:.2f}"
    memory = f"{need.memory.total / GIB:.2f}" if need else "-"
    fits = ("yes" if need.fits else "NO") if need else "server" if line.planned.paid.requests else "-"
    return [line.planned.stage, *map(_count, counts), hours, memory, fits]


def _beside(line: Line, runs: dict[str, dict[str, Any]]) -> list[str]:
    """A run's own numbers, each with how far the plan is from it; nothing without a run."""
    run = runs.get(line.planned.stage, {})
    planned = line.counts().items() if runs else ()
    return [f"{_count(run[name])} {value / run[name] - 1:+.0%}" if run.get(name) else "-" for name, value in planned]


def _count(value: float) -> str:
    for size, mark in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e3 if mark == 'k' else size):.{0 if mark == 'k' else 2}f}{mark}"
    return "-" if not value else f"{value:.3g}" if value < 100 else f"{value:.0f}"
