"""Starts a training: in this process on a CPU, else as processes of its own that end with this one.

This process holds the devices of the machine while its trainers work. What a broken training left (rows, checkpoints)
stays under a hash of all that decides its result, and is taken up from there.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset, disable_progress_bars
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.core import fingerprint, journal, machine
from pipeline.core.command import die_with_parent, note
from pipeline.core.errors import PipelineError
from pipeline.core.files import require_weights
from pipeline.core.lease import hold_gpus, visible_gpus
from pipeline.training import worker
from pipeline.training.settings import Training
from pipeline.training.worker import Job

SHIPPED = Path(__file__).parent / "launchers"


@dataclass(frozen=True)
class Outcome:
    """curve: of each update, its loss and what else is kept. ranks, distributed: what it ran on.

    seconds: of the updates alone. peak_mib: GPU memory that the first rank allocated at most; 0 on a CPU.
    """

    curve: list[dict[str, float]]
    ranks: int
    distributed: str
    seconds: float
    peak_mib: int


def run(
    kind: str,
    start: Path,
    rows: Sequence[dict[str, Any]],
    blank: dict[str, Any],
    order: list[list[int]],
    settings: Training,
    here: machine.Training,
    seed: int,
    folder: Path,
) -> Outcome:
    """Train the model folder `start` on token rows and save it to `folder`; see `worker.Job` for the rest.

    blank: a row of no weight. Raises PipelineError, in one line, where the trainers do or one of them is killed; what
    was trained up to the last checkpoint is kept.
    """
    require_weights(start)
    run_by = {"launcher": here.launcher, "config": here.config, "processes": here.processes}
    mark = fingerprint.values(kind, start, rows, order, settings, seed, run_by)
    place = (journal.FOLDER / "train" / mark[:16]).resolve()
    disable_progress_bars()
    try:
        shutil.rmtree(place / "rows", ignore_errors=True)
        Dataset.from_list([*rows, blank]).save_to_disk(str(place / "rows"))
        for line in place.glob("error-*.txt"):
            line.unlink()
        hold_gpus()
        command, distributed = _command(here, place)
        sections = (settings.model_dump(mode="json"), here.model_dump(mode="json"))
        job = Job(kind, str(start), str(folder), *sections, seed, order, distributed)
        (place / "job.json").write_text(json.dumps(asdict(job)), encoding="utf-8")
    except OSError as error:
        raise PipelineError(f"{place}: cannot be written ({error.strerror}); make room or give the rights") from error
    if command:
        _run(command, place)
    else:
        worker.train(place)
    outcome = Outcome(**json.loads((place / "outcome.json").read_text(encoding="utf-8")))
    shutil.rmtree(place)
    if outcome.peak_mib:
        note(peak_mib=outcome.peak_mib)
    return outcome


def _command(here: machine.Training, place: Path) -> tuple[list[str], str]:
    """The command that trains (empty: this process does), and the kind of parallelism that it must give."""
    worker_of_job = ["-m", "pipeline.training.worker", str(place)]
    if here.launcher == "none":
        return ([sys.executable, *worker_of_job] if visible_gpus() else []), ""
    if here.launcher != "accelerate":
        return [word.replace("{job}", str(place)) for word in shlex.split(here.launcher)], ""
    config = SHIPPED / f"{here.config}.yaml"
    config = config if config.is_file() else Path(here.config)
    try:
        kind = str(YAML(typ="safe", pure=True).load(config.read_text(encoding="utf-8"))["distributed_type"])
    except (OSError, YAMLError, KeyError, TypeError) as error:
        known = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.yaml")))
        raise PipelineError(
            f"machine.yaml: training.config: {here.config!r} is no accelerate configuration ({error}); give one of "
            f"{known}, or a file that `accelerate config` wrote"
        ) from error
    if kind == "MULTI_GPU" and not visible_gpus():
        kind = "MULTI_CPU"  # what accelerate makes of it without GPUs
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--config_file", str(config), "--num_processes", str(here.processes), "--main_process_port", str(port)]
    return [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", *options, *worker_of_job], kind


def _run(command: list[str], place: Path) -> None:
    """Run the trainers to their end; whatever happens, none of them is left."""
    environment = os.environ | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    environment.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")  # lengths differ from step to step
    if gpus := visible_gpus():
        alone = command[1:3] == ["-m", "pipeline.training.worker"]
        environment["CUDA_VISIBLE_DEVICES"] = gpus[0] if alone else ",".join(gpus)
    try:
        process = subprocess.Popen(command, env=environment, start_new_session=True, preexec_fn=die_with_parent)
    except OSError as error:
        raise PipelineError(f"machine.yaml: training.launcher: {command[0]} cannot run ({error.strerror})") from error
    try:
        code = process.wait()
    finally:
        for member in (int(entry.name) for entry in Path("/proc").glob("[0-9]*")):
            with suppress(ProcessLookupError):
                if os.getsid(member) == process.pid:  # launchers give each trainer a group of its own
                    os.kill(member, signal.SIGKILL)
        process.wait()
    if code:
        raise PipelineError(_reason(code, place, command))


def _reason(code: int, place: Path, command: list[str]) -> str:
    if lines := sorted(place.glob("error-*.txt")):
        return lines[0].read_text(encoding="utf-8")
    words = " ".join([*command, "port", os.environ.get("MASTER_PORT", "")])
    for port in re.findall(r"(?:port[ =]|endpoint[ =]\S*?:)(\d+)", words):
        if not _is_free(int(port)):
            return (
                f"machine.yaml: training.launcher: port {port} of this machine is in use by another process; end that, "
                "or give another port"
            )
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return (
        f"the training {how} and left no reason of its own: see what stands above; without a traceback there the "
        f"host's memory is the usual one. Checkpoints, if training.save_steps is set, are kept ({place}): run again"
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what has just ended there does not count
        try:
            probe.bind(("", port))
        except (OSError, OverflowError):
            return False
    return True
