"""Engines in processes of their own: several replicas of one model, or several models, beside each other.

On a CPU one engine uses one thread, so as many replicas as there are cores give that many times the throughput. On
GPUs each replica has devices of its own. All requests of one task go to one replica, so that they share its prefix
cache. Completions do not depend on the number of replicas, because each request carries its own seed.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from pipeline.core import machine
from pipeline.core.errors import PipelineError
from pipeline.inference.requests import Completion, Request
from pipeline.inference.settings import Inference

# A killed child leaves a semaphore to Python's tracker, which removes it and would warn about it; vLLM touches a name
# of torch that torch calls deprecated. A user can change neither.
_QUIET = "ignore:resource_tracker:UserWarning,ignore:`torch.distributed.reduce_op` is deprecated:FutureWarning"
_GRACE = 20.0  # seconds for an engine over several devices to end in order; else it leaves shared memory behind


class PooledEngine:
    """Replicas of one model in child processes that end with this one; see `requests.Engine`.

    places: the GPUs of each replica, none for one on the CPU. A replica leads a process group of its own, because vLLM
    may start processes beneath it: they are killed together.
    """

    def __init__(
        self, model: Path, params: Inference, here: machine.Inference, places: Sequence[tuple[str, ...]]
    ) -> None:
        if _QUIET not in (warnings := os.environ.get("PYTHONWARNINGS", "")):
            os.environ["PYTHONWARNINGS"] = f"{warnings},{_QUIET}".lstrip(",")
        self.max_model_len, self._model = params.max_model_len, model
        self._orderly = here.tensor_parallel > 1
        context = multiprocessing.get_context("spawn")
        self._connections: list[Connection] = []
        self._processes: list[SpawnProcess] = []
        self.sources: Sequence[Any] = self._connections
        atexit.register(self.close)  # Python itself would wait for the children, which wait for requests
        for devices in places:
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, model, params, here, devices))
            process.start()
            theirs.close()
            self._connections.append(ours)
            self._processes.append(process)
        from transformers import AutoTokenizer  # while the children start

        self.tokenizer: Any = AutoTokenizer.from_pretrained(str(model), trust_remote_code=False)
        self._starting = list(range(len(self._connections)))
        self._outgoing: list[list[tuple[str, Request, int]]] = [[] for _ in self._connections]

    def wait_until_ready(self) -> None:
        """Return when every replica has its memory, which it says with its first message. Call before any request."""
        while self._starting:
            self._receive(self._starting.pop())

    def submit(self, key: str, request: Request, group: int) -> None:
        """Queue one request for the replica that serves its group."""
        self._outgoing[group % len(self._connections)].append((key, request, group))

    def step(self) -> list[tuple[str, Completion]]:
        """Send what is queued and return what has finished. Raises PipelineError where a replica has ended."""
        for number, batch in enumerate(self._outgoing):
            if batch:
                try:
                    self._connections[number].send(batch)
                except OSError:
                    self._receive(number)  # what it sent last, or how it ended
                    continue
                batch.clear()
        ready = wait(self._connections, timeout=0)
        return [entry for number, s in enumerate(self._connections) if s in ready for entry in self._receive(number)]

    def _receive(self, number: int) -> list[tuple[str, Completion]]:
        try:
            done: list[tuple[str, Completion]] = self._connections[number].recv()
        except (EOFError, OSError) as error:
            process = self._processes[number]
            process.join(_GRACE)
            raise PipelineError(f"{self._model}: an engine {_end_of(process.exitcode)}") from error
        return done

    def close(self) -> None:
        """End the processes; on one device they hold nothing but memory, and an orderly exit of vLLM takes seconds."""
        atexit.unregister(self.close)
        if self._orderly:
            for source in self._connections:
                with suppress(OSError):
                    source.send(None)
            for process in self._processes:
                process.join(_GRACE)
        for process in self._processes:
            with suppress(ProcessLookupError):
                assert process.pid
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.join()


def _end_of(code: int | None) -> str:
    """How a process ended, and what to do about it."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        memory = ", as Linux does when memory runs out" if -code == signal.SIGKILL else ""
        return (
            f"process was killed by {name}{memory}; finished work is kept: give it room (inference.replicas, "
            f"kv_cache_tokens or max_num_seqs of {machine.FILE}) and run again"
        )
    return f"process ended with exit code {code}; what it said stands above, finished work is kept"


def _serve(
    connection: Connection, model: Path, params: Inference, here: machine.Inference, devices: tuple[str, ...]
) -> None:
    """A child's life: take requests, run the engine, send completions; ends, with its group, when the parent does."""
    os.setsid()
    if devices:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
    batches: SimpleQueue[list[tuple[str, Request, int]] | None] = SimpleQueue()
    threading.Thread(target=_receive, args=(connection, batches), daemon=True).start()
    from pipeline.inference.in_process import InProcessEngine

    engine = InProcessEngine(model, params, here, devices)
    connection.send([])  # ready
    pending = 0
    while True:
        while pending == 0 or not batches.empty():
            batch = batches.get()
            if batch is None:
                engine.close()
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
        while (batch := connection.recv()) is not None:
            batches.put(batch)
        batches.put(None)
    except (EOFError, OSError):
        os.killpg(0, signal.SIGKILL)  # the parent has gone
