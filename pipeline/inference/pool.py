"""Engines in processes of their own: several replicas of one model, or several models, beside each other.

On a CPU one engine uses one thread, so as many replicas as there are cores give that many times the throughput.
All requests of one task go to one replica, so that they share its prefix cache. Completions do not depend on the
number of replicas, because each request carries its own seed.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection, wait
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from pipeline.core import machine
from pipeline.core.files import require_weights
from pipeline.core.lease import hold_gpus
from pipeline.inference.requests import Completion, Engine, Request
from pipeline.inference.settings import Inference

_PARENT_DEATH = 1  # PR_SET_PDEATHSIG
# A killed child leaves a semaphore to Python's tracker, which removes it and would warn about it; vLLM touches a name
# of torch that torch calls deprecated. Neither is the user's to mend.
_QUIET = "ignore:resource_tracker:UserWarning,ignore:`torch.distributed.reduce_op` is deprecated:FutureWarning"


def open_engine(model: Path, params: Inference, here: machine.Inference) -> Engine:
    """An engine for `model`: `here.replicas` processes; waits where another stage has the GPUs."""
    hold_gpus()
    return PooledEngine(model, params, here)


class PooledEngine:
    """Replicas of one model in child processes that die with this one; see `requests.Engine`."""

    def __init__(self, model: Path, params: Inference, here: machine.Inference) -> None:
        require_weights(model)
        if _QUIET not in (warnings := os.environ.get("PYTHONWARNINGS", "")):
            os.environ["PYTHONWARNINGS"] = f"{warnings},{_QUIET}".lstrip(",")
        self.max_model_len = params.max_model_len
        context = multiprocessing.get_context("spawn")
        self._connections: list[Connection] = []
        self._processes = []
        for _ in range(here.replicas):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, model, params, here, os.getpid()), daemon=True)
            process.start()
            theirs.close()
            self._connections.append(ours)
            self._processes.append(process)
        from transformers import AutoTokenizer  # while the children start

        self.tokenizer: Any = AutoTokenizer.from_pretrained(str(model), trust_remote_code=False)
        self._outgoing: list[list[tuple[str, Request, int]]] = [[] for _ in self._connections]

    def submit(self, key: str, request: Request, group: int) -> None:
        """Queue one request for the replica that serves its group."""
        self._outgoing[group % len(self._connections)].append((key, request, group))

    def step(self) -> list[tuple[str, Completion]]:
        """Send what is queued, then return what has finished (waits up to 50 ms)."""
        for connection, batch in zip(self._connections, self._outgoing, strict=True):
            if batch:
                connection.send(batch)
                batch.clear()
        done: list[tuple[str, Completion]] = []
        ready = wait(self._connections, timeout=0.05)
        for connection in self._connections:
            if connection not in ready:
                continue
            try:
                done += connection.recv()
            except EOFError as error:
                raise RuntimeError("an engine process ended; its traceback stands above") from error
        return done

    def close(self) -> None:
        """End the processes; they hold nothing but memory, and an orderly exit of vLLM takes seconds."""
        for process in self._processes:
            process.kill()
            process.join()


def _serve(connection: Connection, model: Path, params: Inference, here: machine.Inference, parent: int) -> None:
    """A child's life: take requests, run the engine, send completions; ends when the parent does."""
    ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL)
    if os.getppid() != parent:
        return
    from pipeline.inference.in_process import InProcessEngine

    engine = InProcessEngine(model, params, here)
    batches: SimpleQueue[list[tuple[str, Request, int]] | None] = SimpleQueue()
    threading.Thread(target=_receive, args=(connection, batches), daemon=True).start()
    pending = 0
    while True:
        while pending == 0 or not batches.empty():
            batch = batches.get()
            if batch is None:
                return
            for key, request, group in batch:
                engine.submit(key, request, group)
            pending += len(batch)
        done = engine.step()
        pending -= len(done)
        if done:
            connection.send(done)


def _receive(connection: Connection, batches: SimpleQueue[list[tuple[str, Request, int]] | None]) -> None:
    """Take requests whenever they come: with both pipes full, parent and child would wait for each other for ever."""
    try:
        while True:
            batches.put(connection.recv())
    except EOFError:
        pass  # the parent has gone
    finally:
        batches.put(None)
