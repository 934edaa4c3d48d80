"""The devices of this machine, or of one that the command line describes, and what a stage takes of each."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

from pipeline.core.errors import PipelineError
from pipeline.core.memory import GIB, Memory


@dataclass(frozen=True)
class Devices:
    """gpus: how many (0: a CPU). capacity: bytes of one GPU's memory, or of the machine's."""

    gpus: int
    capacity: float

    def __str__(self) -> str:
        size = f"{self.capacity / GIB:.0f} GiB"
        return f"{self.gpus} GPU(s) of {size}" if self.gpus else f"a CPU, {size}"


def devices(gpus: int | None = None, gib: float | None = None) -> Devices:
    """What the command line says, else what nvidia-smi sees, else this machine's memory. Raises PipelineError."""
    if gpus is not None or gib is not None:
        if gib is None or not 0 < gib < float("inf") or (gpus is not None and gpus < 1):
            raise PipelineError("--gpus and --gpu-memory: must be above 0, --gpu-memory given in GiB of one GPU")
        return Devices(gpus or 1, gib * GIB)
    try:
        query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
        seen = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()
        if seen:
            return Devices(len(seen), min(map(float, seen)) * 2**20)
    except (OSError, subprocess.CalledProcessError, ValueError):
        pass
    return Devices(0, float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")))


@dataclass(frozen=True)
class Need:
    """What one stage takes of a device. available: bytes that it may take. advice: what to change where it does not."""

    memory: Memory
    available: float
    advice: str

    @property
    def fits(self) -> bool:
        return self.memory.total <= self.available

    @property
    def hopeless(self) -> bool:
        """Whether it cannot fit, however short the rows and small the batches are."""
        certain = [size for name, size in self.memory.parts.items() if name not in ("activations", "head")]
        return sum(certain) > self.available

    def __str__(self) -> str:
        needed, available = self.memory.total / GIB, self.available / GIB
        return f"does not fit: {needed:.1f} GiB a device ({self.memory}), {available:.1f} are there; {self.advice}"
