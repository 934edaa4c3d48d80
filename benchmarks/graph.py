"""Seconds of `dvc repro` where nothing is out of date, and after an edit that the report alone depends on.

They are measured in a copy of the working tree beside it, whose finished run must be up to date.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.sides import Line

COPY = Path(".work/benchmark/graph")
_QUIET = {"DVC_NO_ANALYTICS": "1", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": ""}


def copied(folder: Path) -> None:
    """The working tree's files and its run's data in `folder`, on the same DVC cache."""
    shutil.rmtree(folder, ignore_errors=True)
    listed = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0"):
        if (path := Path(name)).is_file() and not path.is_symlink():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / path)
    for name in ("data", "reports"):
        if Path(name).is_dir():
            shutil.copytree(name, folder / name, dirs_exist_ok=True)
    subprocess.run(("git", "init", "--quiet"), cwd=folder, check=True)
    cache = Path(".dvc/cache").resolve()
    subprocess.run(("dvc", "cache", "dir", "--local", str(cache)), cwd=folder, env=os.environ | _QUIET, check=True)


def _seconds(*command: str) -> float:
    begun = time.perf_counter()
    subprocess.run(command, cwd=COPY, env=os.environ | _QUIET, capture_output=True, check=True)
    return time.perf_counter() - begun


def lines(rounds: int) -> list[Line]:
    """Both measures; none where the working tree holds no finished run."""
    if not Path("dvc.lock").is_file():
        print("graph: no dvc.lock; `make repro` makes the run that this part measures", file=sys.stderr)
        return []
    copied(COPY)
    try:
        status = subprocess.run(
            ("dvc", "status", "--quiet", "dvc.yaml"), cwd=COPY, env=os.environ | _QUIET, check=False
        )
        if status.returncode:
            print("graph: the run is not up to date; `make repro` makes it so", file=sys.stderr)
            return []
        idle, edited = [], []
        style = COPY / "pipeline/report/style.css"
        for _ in range(rounds):
            idle.append(_seconds("dvc", "repro"))
            style.write_text(f"{style.read_text(encoding='utf-8')}\n/* edited */\n", encoding="utf-8")
            edited.append(_seconds("dvc", "repro"))
        measures = {"dvc repro, nothing to do": idle, "dvc repro, a report edit": edited}
        return [Line(name, tuple(seconds), "s") for name, seconds in measures.items()]
    finally:
        shutil.rmtree(COPY)
