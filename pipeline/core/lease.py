"""Stages of parallel experiments take turns on the GPUs of a machine.

vLLM claims most of a GPU's memory when it starts, so an engine or a training beside it would die for want of memory.
On CPUs nothing is leased: cores are shared by the operating system.
"""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
from functools import cache
from io import BufferedWriter
from pathlib import Path

DEVICES = Path("/dev")
LOCKS = Path(tempfile.gettempdir())


@cache
def hold_gpus() -> tuple[BufferedWriter, ...]:
    """Wait until this machine's GPUs are free and hold them until this process ends; returns at once without a GPU.

    One locked file a GPU, of this user, taken in sorted order so that no two processes wait for each other.
    """
    held = []
    for gpu in visible_gpus():
        path = LOCKS / f"psr-{os.getuid()}-gpu-{gpu}.lock"
        file = path.open("wb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"GPU {gpu} is in use by another stage; waiting for {path}", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        held.append(file)
    return tuple(held)


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; all of the machine's if it is not set."""
    present = [path.name.removeprefix("nvidia") for path in DEVICES.glob("nvidia[0-9]*")]
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(present)).split(",") if present else []
    return sorted({name.strip() for name in chosen} - {"", "-1"})
