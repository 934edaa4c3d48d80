"""`psr doctor`: whether this machine and this environment can run the pipeline, a line for each thing looked at."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from pipeline.cli.doctor import installed, project
from pipeline.cli.doctor.finding import Finding
from pipeline.core import machine
from pipeline.core.errors import PipelineError


def add_command(commands: Any) -> None:
    """Add `doctor` to the subcommands of `psr`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "doctor",
        help="say whether this machine and environment can run the pipeline",
        description="Reads params.yaml, machine.yaml, the pinned lock and the machine: Python, packages, vLLM, CPU, "
        "GPUs, memory, disk, the servers of annotator, references and inference, DVC's cache, write access. A line "
        "each: ok, warning or fault with what to do; exit code 1 where there is a fault. Writes nothing.",
    )
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="the file to read (params.yaml)")
    parser.add_argument("--locks", type=Path, default=Path("requirements"), help="folder of the pinned lists")
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    findings = examine(args.params, args.locks)
    if args.json:
        print(json.dumps([dataclasses.asdict(one) for one in findings], indent=2))
    else:
        width = max(len(one.name) for one in findings)
        for one in findings:
            print(f"{one.level:7}  {one.name:{width}}  {one.observed}{f'; {one.advice}' if one.advice else ''}")
    if any(one.level == "fault" for one in findings):
        sys.exit(1)


def examine(params: Path, locks: Path) -> list[Finding]:
    """Everything that is looked at; parameters that cannot be read are one more fault."""
    replicas, bf16 = 1, list[str]()
    try:
        here = machine.load().inference
        replicas = here.replicas
        bf16 = project.bf16(project.parameters(params))
        of_project = list(project.findings(params, here))
    except PipelineError as error:
        advice = "correct it; `psr check`"
        of_project = [Finding("parameters", "fault", line, advice) for line in str(error).splitlines()]
    return [*installed.findings(locks, replicas, bf16), *of_project]
