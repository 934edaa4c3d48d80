"""`psr ablate`: queue the ablations of ablations.yaml as DVC experiments, each checked before any is queued."""

from __future__ import annotations

import argparse
import fnmatch
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline import params
from pipeline.core.config import identifier, read_yaml
from pipeline.core.errors import PipelineError


def add_command(commands: Any) -> None:
    """Add `ablate` to the subcommands of `psr`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "ablate",
        help="queue ablations as DVC experiments",
        description="Reads ablations.yaml and params.yaml, checks that each ablation gives a sound params.yaml, and "
        "queues one DVC experiment an ablation; `dvc queue start` runs them.",
    )
    parser.add_argument("names", nargs="*", default=["*"], help="names or patterns ('width-*'); all if none is given")
    parser.add_argument("--dry-run", action="store_true", help="print the commands only")
    parser.add_argument("--file", type=Path, default=Path("ablations.yaml"), help="the ablations (ablations.yaml)")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="laid over what (params.yaml)")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    chosen = choose(args.file, args.names)
    for name, overrides in chosen.items():
        check(args.params, overrides, f"{args.file}: {name}")
    for name, overrides in chosen.items():
        command = queue_command(name, overrides)
        print(shlex.join(command), flush=True)
        if not args.dry_run and subprocess.run(command, check=False).returncode:
            raise PipelineError(f"{name}: not queued, see DVC's message above; the ablations before it are")
    if not args.dry_run:
        print(f"queued {len(chosen)}; `dvc queue start` runs them, `dvc exp show` compares them")


def choose(file: Path, names: Sequence[str]) -> dict[str, list[str]]:
    """The ablations whose names match, in the file's order: name -> values as `dvc exp run -S` takes them.

    Raises PipelineError for a name or pattern that matches none, and for values that are no list of texts.
    """
    everything = read_yaml(file)
    for name, overrides in everything.items():
        try:
            identifier(re.sub(r"\.(?=\d)", "", str(name)))  # `temperature-0.5`
        except ValueError as error:
            raise PipelineError(f"{file}: {name}: {error}") from error
        if not isinstance(overrides, list) or not all(isinstance(text, str) for text in overrides):
            raise PipelineError(f"{file}: {name}: must be a list of overrides such as [psrlm.search.width=4]")
    for pattern in names:
        if not fnmatch.filter(everything, pattern):
            raise PipelineError(f"{file}: no ablation {pattern!r}; give one of {', '.join(everything)}")
    return {n: values for n, values in everything.items() if any(fnmatch.fnmatch(n, pattern) for pattern in names)}


def check(base: Path, overrides: Sequence[str], where: str) -> None:
    """Lay overrides over a copy of a params file and read it strictly; PipelineError names the ablation."""
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import apply_overrides  # takes a second

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / base.name
        shutil.copyfile(base, copy)
        try:
            apply_overrides(copy, list(overrides))
            params.check(copy)
        except DvcException as error:
            raise PipelineError(f"{where}: {error}: {' '.join(str(error.__cause__).split())}") from error
        except PipelineError as error:
            lines = str(error).replace(str(copy), str(base)).splitlines()
            raise PipelineError("\n".join(f"{where}: {line}" for line in lines)) from error


def queue_command(name: str, overrides: Sequence[str]) -> list[str]:
    """The command that queues one ablation."""
    values = [part for override in overrides for part in ("--set-param", override)]
    return ["dvc", "exp", "run", "--queue", "--name", name, *values]
