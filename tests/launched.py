"""A trainer of a distributed test: FSDP on a CPU, where accelerate would silently run DDP, or one that is killed."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any


def fsdp() -> None:
    """Make accelerate's FSDP2 run on CPUs under gloo."""
    os.environ |= {
        "ACCELERATE_USE_FSDP": "true",
        "FSDP_VERSION": "2",
        "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
        "FSDP_RESHARD_AFTER_FORWARD": "true",
        "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
        "FSDP_CPU_RAM_EFFICIENT_LOADING": "false",
    }
    from accelerate.state import AcceleratorState
    from accelerate.utils import DistributedType

    begin = AcceleratorState.__init__

    def with_plugin(self: Any, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        if plugin := kwargs.get("fsdp_plugin"):
            self.fsdp_plugin = plugin

    AcceleratorState.__init__ = with_plugin
    AcceleratorState.distributed_type = property(lambda self: DistributedType.FSDP, lambda self, kind: None)


def killed_at(update: int) -> None:
    """Kill the last rank after so many updates."""
    from pipeline.training.common import StageProgress

    advance = StageProgress.on_step_end

    def and_die(self: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
        advance(self, args, state, control, **more)
        if state.global_step == update and int(os.environ["RANK"]) == int(os.environ["WORLD_SIZE"]) - 1:
            os.kill(os.getpid(), signal.SIGKILL)

    StageProgress.on_step_end = and_die  # type: ignore[method-assign]


if __name__ == "__main__":
    kind, die, *_ = sys.argv[1:]
    if kind == "fsdp":
        fsdp()
    if Path(die).is_file():
        killed_at(int(Path(die).read_text()))
    sys.argv[1:3] = []
    from pipeline.training import worker

    worker.main()
