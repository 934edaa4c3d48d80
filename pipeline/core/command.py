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
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pipeline.core.errors import PipelineError
from pipeline.core.redact import redacted

RUNS = Path(".work") / "runs.jsonl"  # outside the DVC outs: times differ from run to run, data must not
_PARENT_DEATH = 1  # PR_SET_PDEATHSIG
_ISA = ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")  # AMX adds up in another order: its weights would have other bytes
_QUIET_SECONDS = 15.0  # without a terminal: one progress line at most this often


def arguments(description: str | None, reads: Sequence[str], writes: Sequence[str]) -> argparse.Namespace:
    """Parse a stage's arguments: `--params`, `--key` (model or role it works for) and one path a name.

    `--help` says which of them the stage reads and which it writes; the paths themselves stand in dvc.yaml.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="reads: the knobs (params.yaml)")
    parser.add_argument("--key", default="", help="the model of params.yaml that the stage works for")
    for name in reads:
        parser.add_argument(f"--{name}", type=Path, required=True, help="reads")
    for name in writes:
        parser.add_argument(f"--{name}", type=Path, required=True, help="writes")
    return parser.parse_args()


_noted: Counter[str] = Counter()


def note(**amounts: int) -> None:
    """Add amounts (tokens, requests) to this run's line in the list of runs; those of one name are summed."""
    _noted.update(amounts)


def run(main: Callable[[], None]) -> None:
    """Run an entry point that dies with its parent; a PipelineError becomes one line and exit code 1.

    Everything else propagates with its traceback. A stage that DVC started and that ends well gets a line in `RUNS`:
    its name in the graph, when it started, seconds, and what it noted. Torch leaves AMX unused, which is
    one cause of other bytes on another CPU; a value of ONEDNN_MAX_CPU_ISA in the environment wins.
    """
    begun, started = datetime.now(UTC), time.monotonic()
    os.environ.setdefault(*_ISA)
    die_with_parent()
    redact_tracebacks()
    try:
        main()
        if stage := os.environ.get("DVC_STAGE"):  # set by `dvc repro`
            _append(stage, begun, time.monotonic() - started)
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


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
        """One more unit is done."""
        self._done += 1
        self._bar.update()
        now = time.monotonic()
        if self._bar.disable and (now - self._last > _QUIET_SECONDS or self._done == self._total):
            self._last = now
            rate = (self._done - self._before) / max(now - self._start, 1e-9)
            left = (self._total - self._done) / rate
            print(
                f"{self._name}: {self._done}/{self._total} ({rate:.1f}/s, {left:.0f} s left)",
                file=sys.stderr,
                flush=True,
            )

    def close(self) -> None:
        """End the bar."""
        self._bar.close()
