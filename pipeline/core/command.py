"""What every stage's entry point shares: its arguments, its life, its line in the list of runs, its progress bar."""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from tqdm import tqdm

from pipeline.core import config, fingerprint, machine, plan, plugins
from pipeline.core.config import Part
from pipeline.core.errors import STORAGE, PipelineError
from pipeline.core.redact import redacted

RUNS = Path(".work") / "runs.jsonl"  # outside the DVC outs: times differ from run to run, data must not
_PARENT_DEATH = 1  # PR_SET_PDEATHSIG
_ISA = ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")  # AMX adds up in another order: its weights would have other bytes
_QUIET_SECONDS = 15.0  # without a terminal: one progress line at most this often


class Stage:
    """One run of a stage: the model it works for, its paths by name, and what params.yaml and machine.yaml say.

    key: the model of params.yaml that the stage works for, or what else dvc.yaml counts by.
    """

    def __init__(self, name: str, params: Path, key: str, paths: Mapping[str, Path]) -> None:
        self.name, self.params, self.key, self._paths = name, params, key, dict(paths)
        self._chosen: dict[str, str] = {}
        self._at_end: list[Callable[[], None]] = []

    def __getattr__(self, name: str) -> Any:
        """The path given as `--<name>`; None for one that need not be given and is not."""
        try:
            return self.__dict__["_paths"][name]
        except KeyError:
            raise AttributeError(name) from None

    @cached_property
    def plan(self) -> plan.Plan:
        """The models of the run."""
        return plan.load(self.params)

    @cached_property
    def machine(self) -> machine.Machine:
        """How this machine runs the stage."""
        return machine.load()

    @property
    def seed(self) -> int:
        return self.plan.seed

    @cached_property
    def family(self) -> str:
        """The prompt family in force."""
        return self.section("prompts", config.Prompts).family

    def section(self, name: str, kind: type[Part], **over: Any) -> Part:
        """A section of params.yaml, with the keys of `over` laid over it. Raises PipelineError, one line a fault."""
        return config.load(self.params, name, kind, over)

    def part(self, kind: str, name: str, role: str) -> ModuleType:
        """A part of a plug-in (see `plugins`), noted as one that the stage depends on."""
        self._chosen[kind.rpartition(".")[2]] = name
        return plugins.part(kind, name, role)

    def at_end(self, action: Callable[[], None]) -> None:
        """Call `action` once the whole stage has ended well, its outputs written."""
        self._at_end.append(action)

    def close(self) -> None:
        """Call what waits for the stage's end."""
        for action in self._at_end:
            action()

    def code(self) -> str:
        """The hash of the stage's code and prompts, with the plug-ins that it has asked for so far."""
        return fingerprint.stage(self.name, self._chosen, self.family)


def run(main: Callable[[Stage], None], reads: Sequence[str] = (), writes: Sequence[str] = ()) -> None:
    """Run a stage's `main`; it dies with its parent, and a PipelineError becomes one line (a fault) and exit code 1.
    So does a full disk, or one that cannot be written.

    reads, writes: names of its paths, each an argument `--<name>`; the paths stand in dvc.yaml. Everything unexpected
    propagates with its traceback. A stage that DVC started and that ends well gets a line in `RUNS`: its name in the
    graph, when it started, seconds, and what it noted. Torch leaves AMX unused, which is one cause of other bytes on
    another CPU; a value of ONEDNN_MAX_CPU_ISA in the environment wins.
    """
    script = sys.modules["__main__"]
    args = vars(_parser(script.__doc__, reads, writes).parse_args())
    begun, started = datetime.now(UTC), time.monotonic()
    os.environ.setdefault(*_ISA)
    die_with_parent()
    redact_tracebacks()
    stage = Stage(Path(str(script.__file__)).stem, args.pop("params"), args.pop("key"), args)
    with faults_in_lines():
        main(stage)
        stage.close()
        if name := os.environ.get("DVC_STAGE"):  # set by `dvc repro`
            _append(name, begun, time.monotonic() - started)


def _parser(description: str | None, reads: Sequence[str], writes: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="reads: the parameters (params.yaml)")
    parser.add_argument("--key", default="", help="the model of params.yaml that the stage works for")
    for names, what in ((reads, "reads"), (writes, "writes")):
        for name in names:
            parser.add_argument(f"--{name.rstrip('?')}", type=Path, required=not name.endswith("?"), help=what)
    return parser


@contextmanager
def faults_in_lines() -> Iterator[None]:
    """A PipelineError ends the process with exit code 1 and one line a fault; so does a disk that is full or locked."""
    try:
        yield
    except PipelineError as error:
        fail(error)
    except OSError as error:
        if error.errno not in STORAGE:
            raise
        fail(PipelineError(f"{error}; make room or give the rights and run again, finished work is kept"))


def fail(error: PipelineError) -> NoReturn:
    """End with bad input on stderr, one line a fault, and exit code 1."""
    for line in str(error).splitlines():
        print(f"error: {line}", file=sys.stderr)
    sys.exit(1)


_noted: Counter[str] = Counter()


def note(**amounts: int) -> None:
    """Add amounts (tokens, requests) to this run's line in the list of runs; those of one name are summed."""
    _noted.update(amounts)


def redact_tracebacks() -> None:
    """From now on a traceback of this process shows no secret either."""

    def show(*error: Any) -> None:
        sys.stderr.write(redacted("".join(traceback.format_exception(*error))))

    sys.excepthook = show


def die_with_parent() -> None:
    """From now on this process is killed when its parent ends, so that nothing goes on unseen (Linux alone)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL)


def _append(stage: str, begun: datetime, seconds: float) -> None:
    line = {"stage": stage, "begun": begun.isoformat(timespec="seconds"), "seconds": round(seconds, 1), **_noted}
    RUNS.parent.mkdir(parents=True, exist_ok=True)
    with RUNS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


class Progress:
    """A bar with rate and remaining time on a terminal; elsewhere one such line every 15 seconds."""

    def __init__(self, name: str, total: int, done: int = 0) -> None:
        self._bar = tqdm(total=total, initial=done, desc=name, unit="", disable=not sys.stderr.isatty())
        self._name, self._total, self._done, self._before = name, total, done, done
        self._start = self._last = time.monotonic()

    def advance(self) -> None:
        self._done += 1
        self._bar.update()
        now = time.monotonic()
        if self._bar.disable and (now - self._last > _QUIET_SECONDS or self._done == self._total):
            self._last = now
            rate = (self._done - self._before) / max(now - self._start, 1e-9)
            left = (self._total - self._done) / rate
            line = f"{self._name}: {self._done}/{self._total} ({rate:.1f}/s, {left:.0f} s left)"
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        self._bar.close()
