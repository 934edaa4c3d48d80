"""`psr clean`: what broken runs left behind and no run can use again."""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.journal import FOLDER

ANSWERS = FOLDER / "annotator"
_TRAINING = "train"  # holds the checkpoints of all stages that train
_TRAINS = ("sft", "dpo", "prm", "base")
_TEMPORARY = re.compile(r"\..+\.(\d+)")  # a file that a process was writing (`files.replacing`), with its id
_ROOTS = ("data", "reports", "publish", str(FOLDER))
_BESIDE = ("code.json", "params.yaml")
_SOURCES = Path("data/sources")  # the user's own


def add_command(commands: Any) -> None:
    """Add `clean` to the subcommands of `psr`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "clean",
        help="list, and with --yes remove, what broken runs left and no run can use again",
        description="Reads .work, data and reports, and asks DVC which stages are out of date. Lists, with sizes, "
        "the journals and checkpoints of stages that are all up to date, damaged journals that were set aside, and "
        "temporary files of processes that have ended. What an unfinished stage may go on from stays, and so do an "
        "annotator's answers, which were paid for. Writes nothing without --yes.",
    )
    parser.add_argument("--yes", action="store_true", help="remove what is listed")
    parser.add_argument("--answers", action="store_true", help="the annotator's paid answers too")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    going_on = unfinished(Path.cwd())
    removable = dict(leftovers(going_on))
    if args.answers and ANSWERS.is_dir():
        removable[ANSWERS] = "answers of an annotator, which were paid for"
    for path, what in removable.items():
        print(f"{'removed' if args.yes else 'would remove'} {path} ({_size(path)}): {what}")
        if args.yes:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if ANSWERS.is_dir() and not args.answers:
        print(f"kept {ANSWERS} ({_size(ANSWERS)}): paid answers; --answers takes them too")
    for path in sorted(FOLDER.glob("*/*")):
        if path.parent != ANSWERS and path not in removable and _is_work(path):
            who = ", ".join(going_on.get(path.parent.name, ["a run"]))
            print(f"kept {path} ({_size(path)}): {who} may go on from it")
    if removable and not args.yes:
        print("`psr clean --yes` removes them")


def leftovers(going_on: dict[str, list[str]]) -> Iterator[tuple[Path, str]]:
    """What no run can use again, each with what it is. going_on: by script, its stages that are out of date."""
    for path in sorted(FOLDER.glob("*/*")):
        if path.parent == ANSWERS or not _is_work(path) or _in_use(path):
            continue
        if ".damaged-" in path.name:
            yield path, "a damaged journal that was set aside"
        elif not going_on.get(path.parent.name):
            what = "checkpoints" if path.is_dir() else "a journal"
            yield path, f"{what} of stages that are all up to date"
    beside = [path for name in _BESIDE for path in sorted(Path().glob(f".{name}.*"))]
    for path in [*beside, *(path for root in _ROOTS for path in sorted(Path(root).rglob(".*")))]:
        match = _TEMPORARY.fullmatch(path.name)
        if match and path.is_file() and _SOURCES not in path.parents and not Path("/proc", match[1]).exists():
            yield path, f"a temporary file of process {match[1]}, which has ended"


def unfinished(root: Path) -> dict[str, list[str]]:
    """Stages that are out of date, by the script that they run; those that train also as `train`.

    A graph beside the run's own of which no stage has run yet does not count. Raises PipelineError where DVC cannot
    say, as during a run.
    """
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.repo import Repo  # takes a second

    stages: dict[str, list[str]] = {}
    try:
        with Repo(str(root), config={"core": {"no_scm": True}}) as repo:
            changed = repo.status()
            for stage in repo.index.stages:
                script = re.search(r"-m stages\.(\w+)", stage.cmd or "")
                begun = Path(stage.path).parent == root or Path(stage.path).with_name("dvc.lock").is_file()
                if script and begun and stage.addressing in changed:
                    for name in {script[1], _TRAINING if script[1] in _TRAINS else script[1]}:
                        stages.setdefault(name, []).append(stage.addressing)
    except LockError as error:
        raise PipelineError("DVC is at work here; clean up when the run has ended") from error
    except DvcException as error:
        raise PipelineError(f"dvc.yaml: DVC cannot read it ({' '.join(str(error).split())}); correct it") from error
    return stages


def _is_work(path: Path) -> bool:
    """Whether it is a journal, one that was set aside, or a folder of checkpoints, by its name."""
    return bool(re.fullmatch(r"[0-9a-f]{16}(\.jsonl|\.damaged-\d+)?", path.name))


def _in_use(path: Path) -> bool:
    """Whether a process holds the lock of a journal."""
    if path.is_dir():
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _size(path: Path) -> str:
    files = path.rglob("*") if path.is_dir() else [path]
    size = sum(os.lstat(file).st_size for file in files if file.is_file())
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
