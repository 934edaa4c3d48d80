"""What every stage's entry point shares: its arguments, its life, its progress bar."""

from __future__ import annotations

import argparse
import ctypes
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from pipeline.errors import PipelineError

_PARENT_DEATH = 1  # PR_SET_PDEATHSIG
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


def run(main: Callable[[], None]) -> None:
    """Run an entry point that dies with its parent; a PipelineError becomes one line and exit code 1.

    Everything else propagates with its traceback.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL)
    try:
        main()
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


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
