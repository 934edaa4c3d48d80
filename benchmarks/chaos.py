"""Kills at random moments of every longer stage: what is lost, what is left, and whether the results are the same.

    python -m benchmarks.chaos --run FOLDER --kills 30 --seed 1

A clone of this repository runs `psr profile smoke`, a little smaller, undisturbed, with checkpoints of trainings and an
annotator behind an endpoint. Then for each kill a stage's outputs, its entry in dvc.lock and what it was answered are
removed, `dvc repro STAGE` is started and killed at a moment drawn within the stage's undisturbed seconds, and the same
command completes it. Prints the table of docs/chaos.md; the exit code is 1 if anything differs or is left over.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.served_oracle import Server
from pipeline.core.config import laid_over
from pipeline.params.profiles import profile

ROOT = Path(__file__).parent.parent
STAGES = (
    *("prm", "eft_search@psrlm", "eft@psrlm", "sft@m1", "search@m2", "dpo@m2"),
    *("evaluate@m1", "judge_eval@m1", "scale@m1"),
)
KINDS = ("stage", "dvc", "group")  # ended by SIGKILL, at moments of all stages in turn
OTHERS = (("search@m2", "engine"), ("dpo@m2", "stage, SIGTERM"), ("scale@m1", "dvc, SIGTERM"))
LATER = 5.0  # seconds after a kill at which nothing may be left
DELAY = 0.5  # seconds of an annotator's answer
SMALLER: dict[str, Any] = {  # than the profile smoke
    "problems": {name: {"rows": rows} for name, rows in (("ift", 40), ("prm", 160), ("eft", 40), ("rounds", 12))},
    "arithmetic": {"splits": {"easy": [2, 3, 8], "medium": [4, 5, 8], "hard": [6, 7, 8]}},
    "psrlm": {"eft": {"test_pairs": 10}},
    "sft": {"batch_size": 16},
    "scale": {"problems": 3},
    "annotator": {"kind": "endpoint", "model": "oracle", "key_variable": ""},
}
MACHINE = {"replicas: 0": "replicas: 1", "save_steps: 0": "save_steps: 3"}  # one engine starts sooner than two


@dataclass(frozen=True)
class Trial:
    """One kill: the second of the stage's life, its seconds when it was started again, and what was wrong."""

    stage: str
    kind: str
    second: float
    again: float
    undisturbed: float
    differs: tuple[str, ...]
    left: tuple[str, ...]


def prepare(run: Path, url: str) -> None:
    """The clone with its parameters."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(run)], check=True)
    params = laid_over(profile("smoke"), SMALLER)
    params["annotator"]["url"] = url
    params["judges"] = {"m1": params["judges"]["m1"]}
    (run / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    text = (run / "machine.yaml").read_text(encoding="utf-8")
    for before, after in MACHINE.items():
        assert before in text
        text = text.replace(before, after)
    (run / "machine.yaml").write_text(text, encoding="utf-8")
    (run.parent / "tmp").mkdir()


def start(run: Path, *targets: str) -> subprocess.Popen[bytes]:
    """`dvc repro` in a session of its own, its words in a file beside the clone."""
    bin_first = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    more = {"PATH": bin_first, "PYTHONPATH": "", "TMPDIR": str(run.parent / "tmp"), "DVC_NO_ANALYTICS": "1"}
    with (run.parent / "log.txt").open("wb") as log:
        command = ["dvc", "repro", *targets]
        return subprocess.Popen(command, cwd=run, env=os.environ | more, stdout=log, stderr=log, start_new_session=True)


def processes(run: Path) -> dict[int, list[str]]:
    """Living processes that work in the clone, with their command lines."""
    living = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if place.joinpath("cwd").resolve(strict=True) == run:
                living[int(place.name)] = place.joinpath("cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has ended, or is another user's
            continue
    return living


def stage_of(run: Path) -> tuple[int, str] | None:
    """The process of the stage that runs, and the stage's name in the graph."""
    for process, words in processes(run).items():
        if any(word.startswith("stages.") for word in words):
            try:
                environment = Path(f"/proc/{process}/environ").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            names = [entry.partition("=")[2] for entry in environment if entry.startswith("DVC_STAGE=")]
            return (process, names[0]) if names else None
    return None


def to_the_end(run: Path, dvc: subprocess.Popen[bytes], until: float | None = None) -> dict[str, float]:
    """Seconds that each stage was seen alive, until DVC ends or a stage was seen for `until` seconds."""
    first, seconds = dict[str, float](), defaultdict[str, float](float)
    while dvc.poll() is None:
        if running := stage_of(run):
            name, now = running[1], time.monotonic()
            seconds[name] = now - first.setdefault(name, now)
            if until is not None and seconds[name] >= until:
                break
        time.sleep(0.1)
    return seconds


def lock(run: Path) -> dict[str, Any]:
    """The stages of dvc.lock."""
    document: dict[str, Any] = yaml.safe_load((run / "dvc.lock").read_text(encoding="utf-8"))
    return dict(document["stages"])


def forget(run: Path, stage: str, reference: dict[str, Any]) -> None:
    """Make the run one that has not come to this stage yet."""
    (run / "dvc.lock").write_text(
        yaml.safe_dump({"schema": "2.0", "stages": {name: reference[name] for name in reference if name != stage}})
    )
    shutil.rmtree(run / ".dvc/cache/runs", ignore_errors=True)
    for out in reference[stage]["outs"]:
        path = run / out["path"]
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if stage.startswith("eft@"):
        shutil.rmtree(run / ".work/annotator", ignore_errors=True)


def kill(kind: str, run: Path, dvc: subprocess.Popen[bytes]) -> None:
    """End what the kind says."""
    who, number = kind.partition(",")[0], signal.SIGTERM if kind.endswith("SIGTERM") else signal.SIGKILL
    if who == "group":
        os.killpg(dvc.pid, number)
        return
    engines = [process for process, words in processes(run).items() if any("spawn_main" in word for word in words)]
    of_stage = [running[0]] if (running := stage_of(run)) else []
    os.kill({"dvc": [dvc.pid], "stage": of_stage, "engine": engines}[who][0], number)


def differences(stage: dict[str, Any], reference: dict[str, Any]) -> Iterator[str]:
    """Outputs of a stage whose hashes are not those of the undisturbed run."""
    hashes = {out["path"]: out["md5"] for out in stage["outs"]}
    for out in reference["outs"]:
        if hashes.get(out["path"]) != out["md5"]:
            yield out["path"]


def files(run: Path) -> set[str]:
    """What lies where unfinished work does: journals, checkpoints, temporary files, all that git would call new."""
    new = subprocess.run(["git", "status", "--porcelain"], cwd=run, capture_output=True, text=True, check=True).stdout
    work = [path for path in (run / ".work").glob("*/*") if path.parent.name != "annotator"]
    temporary = [path for path in run.rglob(".*") if re.fullmatch(r"\..+\.\d+", path.name)]
    return {*new.splitlines(), *(str(path.relative_to(run.parent)) for path in [*work, *temporary])}


def trial(run: Path, stage: str, kind: str, second: float, undisturbed: float, reference: dict[str, Any]) -> Trial:
    """Kill a stage that begins again, and complete it; one that ended before its moment is killed at half of it."""
    forget(run, stage, reference)
    before = files(run)
    dvc = start(run, stage)
    lived = to_the_end(run, dvc, second).get(stage, 0.0)
    if dvc.poll() is not None:
        return trial(run, stage, kind, second / 2, undisturbed, reference)
    kill(kind, run, dvc)
    killed = time.monotonic()
    dvc.wait(120)
    if kind == "engine":  # the stage notices and ends by itself
        lived += time.monotonic() - killed
    time.sleep(max(0.0, LATER - (time.monotonic() - killed)))
    left = [f"process {words[:4]}" for words in processes(run).values()]
    for line in re.findall(r"^error: .*", (run.parent / "log.txt").read_text(errors="replace"), re.MULTILINE):
        print(stage, kind, line, file=sys.stderr)
    dvc = start(run, stage)
    again = to_the_end(run, dvc)
    if dvc.wait():
        sys.exit(f"{stage}, {kind} at {lived:.1f} s: cannot be completed\n{(run.parent / 'log.txt').read_text()}")
    differs = differences(lock(run)[stage], reference[stage])
    left += sorted(files(run) - before)
    return Trial(stage, kind, lived, again[stage], undisturbed, tuple(differs), tuple(left))


def row(number: int, trial: Trial) -> str:
    """A line of the table."""
    equal, left = ", ".join(trial.differs) or "equal", ", ".join(trial.left) or "nothing"
    redone = trial.second + trial.again - trial.undisturbed  # a second start of the stage included
    seconds = f"{trial.second:.1f} of {trial.undisturbed:.1f} | {redone:.1f}"
    return f"| {number} | {trial.stage} | {trial.kind} | {seconds} | {equal} | {left} |"


def main() -> None:
    """Run, kill, complete, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="where the clone is made (a new folder; a temporary one without it)")
    parser.add_argument("--kills", type=int, default=30, help="SIGKILLs over all stages, after three other ends")
    parser.add_argument("--minutes", type=float, default=120, help="after which no other kill begins")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    place = (options.run or Path(tempfile.mkdtemp(prefix="chaos-"))).resolve()
    run, drawn = place / "run", random.Random(options.seed)
    server, begun = Server(run, DELAY), time.monotonic()
    prepare(run, server.url)
    dvc = start(run)
    seconds = to_the_end(run, dvc)
    if dvc.wait():
        sys.exit((place / "log.txt").read_text())
    reference = lock(run)
    kills = [(STAGES[n % len(STAGES)], KINDS[(n + n // len(STAGES)) % len(KINDS)]) for n in range(options.kills)]
    wrong = False
    print("| | stage | killed | at second | redone, s | hashes | left |\n|" + " --- |" * 7, flush=True)
    for number, (stage, kind) in enumerate([*OTHERS, *kills], start=1):
        if time.monotonic() - begun > 60 * options.minutes:
            break
        moment = drawn.uniform(0.03, 0.97) * seconds[stage]
        one = trial(run, stage, kind, moment, seconds[stage], reference)
        wrong |= bool(one.differs or one.left)
        print(row(number, one), flush=True)
    start(run).wait()
    after = lock(run)
    rest = [path for name in reference for path in differences(after[name], reference[name])]
    print(f"\nThe whole graph at the end: {', '.join(rest) or f'all outputs of {len(after)} stages equal'}.")
    if not options.run:
        shutil.rmtree(place)
    sys.exit(wrong or bool(rest))


if __name__ == "__main__":
    main()
