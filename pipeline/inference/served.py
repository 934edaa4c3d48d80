"""An engine behind one or more vLLM servers: what one cannot answer goes to another, with the same completion.

Prompts go as token ids. Requests of one task with the same prompt and seeds s, s+1, ... go as one request with `n`: it
gives what they would give apart, and costs a fraction.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from pipeline.core import machine
from pipeline.core.errors import PipelineError
from pipeline.inference import completions, servers
from pipeline.inference.client import NoAnswer
from pipeline.inference.requests import Completion, Request
from pipeline.inference.servers import Server
from pipeline.inference.settings import Inference

PROBE = 2.0  # seconds between two looks at a server that starts or is left out
GRACE = 30.0  # seconds in which one of the servers must answer again when all are left out
_TRIES = 8  # of one request, after which it may be what ends the servers


@dataclass
class _Ask:
    """Requests that go as one: equal but for their seeds, which follow each other."""

    request: Request
    keys: list[str]
    group: int

    def is_followed_by(self, request: Request, group: int) -> bool:
        """Whether `request` is the next one of these; greedy ones go alone, since vLLM takes no `n` of them."""
        seed = self.request.seed + len(self.keys)
        return request.temperature > 0 and group == self.group and request == replace(self.request, seed=seed)


class ServedEngine:
    """One model behind servers; see `requests.Engine`. A thread of its own talks to them."""

    def __init__(self, model: Path, params: Inference, here: machine.Inference, running: Sequence[Server]) -> None:
        """Waits until the servers that the stage has started are ready, and looks what given ones serve.

        Raises PipelineError, one line, where a server ends instead, or where no given one serves the model.
        """
        from transformers import AutoTokenizer

        self.tokenizer: Any = AutoTokenizer.from_pretrained(str(model), trust_remote_code=False)
        self.max_model_len, self._model, self._servers = params.max_model_len, model, list(running)
        self._slots = {server.url: asyncio.Semaphore(here.max_num_seqs) for server in running}
        self._queued: list[_Ask] = []
        self._done: SimpleQueue[list[tuple[str, Completion]] | BaseException] = SimpleQueue()
        woken, self._wakeup = socket.socketpair()
        self.sources: Sequence[socket.socket] = [woken]
        woken.setblocking(False)
        self._wakeup.setblocking(False)
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        except BaseException:
            self.close()
            raise

    def submit(self, key: str, request: Request, group: int) -> None:
        """Queue one request; one that does not fit the context comes back as `context`, unsent."""
        if len(request.prompt_ids) + request.max_tokens > self.max_model_len:
            self._finish([(key, Completion("", "context", 0))])
            return
        last = self._queued[-1] if self._queued else None
        if last and last.is_followed_by(request, group):
            last.keys.append(key)
        else:
            self._queued.append(_Ask(request, [key], group))

    def step(self) -> list[tuple[str, Completion]]:
        """Send what is queued and return what has finished. Raises PipelineError where no server answers any more."""
        for ask in self._queued:
            self._loop.call_soon_threadsafe(self._keep, self._work_off(ask))
        self._queued = []
        with suppress(BlockingIOError):
            while self.sources[0].recv(4096):
                pass
        done: list[tuple[str, Completion]] = []
        with suppress(Empty):
            while True:
                more = self._done.get_nowait()
                if isinstance(more, BaseException):
                    raise more
                done += more
        return done

    def close(self) -> None:
        """Leave the servers; whoever started them ends them."""
        asyncio.run_coroutine_threadsafe(self._leave(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._wakeup.close()
        self.sources[0].close()

    async def _leave(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for server in self._servers:
            await server.aclose()

    async def _open(self) -> None:
        replies = await asyncio.gather(*map(self._first_look, self._servers))
        if all(server.down for server in self._servers):
            each = "; ".join(f"{server.url} {words}" for server, words in zip(self._servers, replies, strict=True))
            raise PipelineError(
                f"{machine.FILE}: inference.endpoints: {self._model} is served nowhere ({each}); start it there, or "
                "let inference.serve start the servers of each stage"
            )
        for server, words in zip(self._servers, replies, strict=True):
            if server.down:
                server.down = words
                print(f"{server.url} {words}: left out for {self._model}", file=sys.stderr, flush=True)
                self._keep(self._probe(server))

    async def _first_look(self, server: Server) -> str:
        """What a given server serves instead or why it does not answer; waits for one that the stage has started."""
        deadline = self._loop.time() + GRACE
        while True:
            try:
                words = await server.look(self._model, self.max_model_len)
            except NoAnswer as error:
                words = str(error)
                if server.ended:
                    assert server.process and server.log
                    raise PipelineError(
                        f"{machine.FILE}: inference.serve: the server of {self._model} ended with exit code "
                        f"{server.process.returncode}: {servers.last_words(server.log)}; see {server.log}"
                    ) from error
            if server.process is None or not server.down:
                return words
            if words.startswith("serves") and self._loop.time() > deadline:  # not one that is about to end there
                raise PipelineError(f"{machine.FILE}: inference.serve: the server {words}; correct the command")
            await asyncio.sleep(PROBE / 4)

    def _keep(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """What a task raised is raised again by `step`, in the thread that waits for it."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._finish(error)

    def _finish(self, done: list[tuple[str, Completion]] | BaseException) -> None:
        self._done.put(done)
        with suppress(BlockingIOError):  # it is full already
            self._wakeup.send(b"\0")

    async def _work_off(self, ask: _Ask) -> None:
        for _ in range(_TRIES):
            server = await self._living(ask.group)
            async with self._slots[server.url]:
                if server.down:
                    continue
                try:
                    replies = await completions.ask(server, server.name, ask.request, len(ask.keys))
                except NoAnswer as error:
                    self._leave_out(server, str(error))
                    continue
            self._finish(list(zip(ask.keys, replies, strict=True)))
            return
        raise PipelineError(self._no_answer(f"a request was sent to servers {_TRIES} times"))

    async def _living(self, group: int) -> Server:
        """The server of a task; the next one that answers where it does not. Raises PipelineError where none does."""
        first, deadline = group % len(self._servers), self._loop.time() + GRACE
        while True:
            for server in self._servers[first:] + self._servers[:first]:
                if not server.down:
                    return server
            if self._loop.time() > deadline or all(server.ended for server in self._servers):
                raise PipelineError(self._no_answer("no server answers any more"))
            await asyncio.sleep(0.1)

    def _no_answer(self, what: str) -> str:
        each = "; ".join(f"{server.url} {server.down or 'answers others'}" for server in self._servers)
        return (
            f"{machine.FILE}: inference: {self._model}: {what} ({each}); finished work is kept: correct them, run again"
        )

    def _leave_out(self, server: Server, why: str) -> None:
        if not server.down:
            server.down = why
            print(f"{server.url} {why}: its requests go to the others", file=sys.stderr, flush=True)
            self._keep(self._probe(server))

    async def _probe(self, server: Server) -> None:
        """Look at a server that is left out until it serves the model (again)."""
        while server.down and not server.ended:
            await asyncio.sleep(PROBE)
            with suppress(NoAnswer, PipelineError):
                await server.look(self._model, self.max_model_len)
        if not server.down:
            print(f"{server.url} answers: it is taken in", file=sys.stderr, flush=True)
