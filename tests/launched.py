"""The trainers of a distributed test: `launched.py KIND DIE JOB RANKS` imports everything once, then forks the ranks.

That takes a third of the time of torchrun, which starts `launched.py KIND DIE JOB` for each rank in a few tests.
KIND: `ddp`, or `fsdp` on CPUs, where accelerate would silently run DDP. DIE: a file with what befalls the last rank:
the update after which it is killed, `memory` (it asks for more than there is) or `stall`.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
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


def struck(update: int, blow: Callable[[], object]) -> None:
    """Let `blow` befall the last rank after so many updates."""
    from pipeline.training.common import StageProgress

    advance = StageProgress.on_step_end

    def and_die(self: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
        advance(self, args, state, control, **more)
        if state.global_step == update and int(os.environ["RANK"]) == int(os.environ["WORLD_SIZE"]) - 1:
            blow()

    StageProgress.on_step_end = and_die  # type: ignore[method-assign]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def exhaust() -> None:
    import torch

    torch.empty(2**56)


def fork(ranks: int) -> None:
    """Become one of the ranks; the process that forked them ends all with the first that fails."""
    from trl import DPOTrainer, SFTTrainer  # noqa: F401  # the seconds that each rank then does not take

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(ranks)}
    running = set()
    for rank in map(str, range(ranks)):
        os.environ |= {"RANK": rank, "LOCAL_RANK": rank}
        if not (child := os.fork()):
            return
        running.add(child)
    while running:
        ended, status = os.wait()
        running.remove(ended)
        if status:
            for child in running:
                os.kill(child, signal.SIGKILL)
            os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    kind, fate, job, *ranks = sys.argv[1:]
    if ranks:
        fork(int(ranks[0]))
    if kind == "fsdp":
        fsdp()
    if Path(fate).is_file():
        blows = {"memory": (1, exhaust), "stall": (1, signal.pause)}
        struck(*(blows.get(what := Path(fate).read_text()) or (int(what), die)))
    sys.argv[1:] = [job]
    from pipeline.training import worker

    worker.main()
