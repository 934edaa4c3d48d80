"""The event loop beside other ways to drive the same searches: lockstep by depth, one problem at a time, flat replay.

Flat replay sends all requests of a search that was recorded at once, without what each of them waits for. Every run
has a fresh engine, or a server whose prefix cache was emptied: none finds the cache of another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import httpx

from benchmarks.sides import Line, against, interleaved
from pipeline.core import machine
from pipeline.core.records import Problem
from pipeline.inference.engines import open_engines
from pipeline.inference.loop import run
from pipeline.inference.requests import Completion, Engine, Request, Task
from pipeline.inference.served import ServedEngine
from pipeline.inference.settings import Inference
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import search
from pipeline.methods.psrlm.settings import Search

BLOCK = 32  # tokens of a block of the CPU engine's cache, as pipeline/inference/in_process.py sets it
SERVE = (
    "env VLLM_CPU_KVCACHE_SPACE=1 VLLM_CPU_OMP_THREADS_BIND=nobind OMP_NUM_THREADS=1 VLLM_SERVER_DEV_MODE=1 {python} "
    "-m vllm.entrypoints.openai.api_server --model {model} --host {host} --port {port} --dtype {dtype} --max-model-len "
    "{max_model_len} --max-num-seqs {max_num_seqs} --load-format safetensors --generation-config vllm --enforce-eager "
    "--block-size 32 --num-gpu-blocks-override 2048 --no-enable-chunked-prefill --max-num-batched-tokens 8192"
)
Tasks = Mapping[str, Task[Any]]


@dataclass
class Recording:
    """An engine that notes what goes through it: each request with its group, in the order of submission."""

    engine: Engine
    requests: list[tuple[Request, int]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def submit(self, key: str, request: Request, group: int) -> None:
        """Note and pass on."""
        self.requests.append((request, group))
        self.engine.submit(key, request, group)


def event_loop(engine: Engine, tasks: Tasks, window: int = 1 << 30) -> None:
    """The product's own loop."""
    run({"policy": engine}, tasks.items(), window, lambda key, row: None)


def lockstep(engine: Engine, tasks: Tasks) -> None:
    """All tasks one step further, again and again: each waits until the last of the others has its completions."""
    waiting = {number: (task, next(task)) for number, task in enumerate(tasks.values())}
    while waiting:
        answers = replay(engine, [(one, group) for group, (_, requests) in waiting.items() for one in requests])
        place, further = 0, dict[int, Any]()
        for group, (task, requests) in waiting.items():
            with suppress(StopIteration):
                further[group] = (task, task.send(answers[place : place + len(requests)]))
            place += len(requests)
        waiting = further


def replay(engine: Engine, requests: Iterable[tuple[Request, int]]) -> list[Completion]:
    """Completions of all requests, sent at once, in their order."""
    completions: dict[int, Completion] = {}
    number = -1
    for number, (request, group) in enumerate(requests):
        engine.submit(f"{group}/{number}", request, group)
    while len(completions) <= number:
        if done := engine.step():
            completions |= {int(key.partition("/")[2]): completion for key, completion in done}
        elif engine.sources:  # to look again and again would take a core from the engine
            wait(engine.sources, timeout=1.0)
    return [completions[index] for index in range(number + 1)]


def allowed(requests: Iterable[tuple[Request, int]], replicas: int) -> float:
    """The share of prompt tokens that stood, as whole blocks, at the start of an earlier prompt to the same replica."""
    seen, shared, total = set[tuple[int, int]](), 0, 0
    for request, group in requests:
        ids = request.prompt_ids
        total += len(ids)
        known, chain = True, 0
        for end in range(BLOCK, len(ids), BLOCK):  # the last token is computed in any case
            chain = hash((chain, ids[end - BLOCK : end]))
            known = known and (group % replicas, chain) in seen
            shared += BLOCK * known
            seen.add((group % replicas, chain))
    return shared / total


@dataclass(frozen=True)
class Setting:
    """What is searched, and on which engine. running: a server that all runs share; None: each starts an engine."""

    model: Path
    problems: list[Problem]
    params: Inference
    here: machine.Inference
    search: Search
    running: ServedEngine | None = None

    @contextmanager
    def opened(self) -> Iterator[tuple[Engine, Tasks]]:
        """An engine without a prefix cache, and the tasks of all problems."""
        if self.running:
            httpx.post(f"{self.running._servers[0].url}/reset_prefix_cache").raise_for_status()
            yield self.running, self.tasks(self.running)
            return
        with open_engines({"policy": self.model}, self.params, self.here) as engines:
            yield engines["policy"], self.tasks(engines["policy"])

    def tasks(self, engine: Engine) -> Tasks:
        """The searches of all problems, none begun."""
        renderer = Renderer(engine.tokenizer, "arithmetic")
        return {p.problem_id: search.search(renderer, p, self.search, 1) for p in self.problems}

    def seconds(self, way: Callable[[Engine, Tasks], object]) -> float:
        """How long one way takes, the engine's start left out."""
        with self.opened() as (engine, tasks):
            begun = time.perf_counter()
            way(engine, tasks)
            return time.perf_counter() - begun

    def start(self) -> float:
        """Seconds until an engine takes requests."""
        begun = time.perf_counter()
        with self.opened():
            return time.perf_counter() - begun

    def recorded(self) -> list[tuple[Request, int]]:
        """All requests of the searches, in the order in which the event loop sends them."""
        with self.opened() as (engine, tasks):
            recording = Recording(engine)
            event_loop(recording, tasks)
            return recording.requests

    def cache(self, requests: list[tuple[Request, int]]) -> float:
        """The share of prompt tokens that the shared server finds in its cache, of the share that `allowed` counts."""
        with self.opened() as (engine, tasks):
            before = self._counters()
            event_loop(engine, tasks)
            hits, queries = (last - first for first, last in zip(before, self._counters(), strict=True))
        return hits / queries / allowed(requests, 1)

    def _counters(self) -> list[float]:
        assert self.running
        shown = httpx.get(f"{self.running._servers[0].url}/metrics").text.splitlines()
        names = ("prefix_cache_hits_total", "prefix_cache_queries_total")
        return [sum(float(l.rsplit(" ", 1)[1]) for l in shown if l.startswith(f"vllm:{name}{{")) for name in names]


def lines(setting: Setting, rounds: int, server: bool) -> list[Line]:
    """All ways on the engine of a setting, its start, and what the prefix cache of a server does."""
    name = f"{'server' if server else 'pool'}, {setting.here.max_num_seqs} sequences"
    started = Line(f"{name}: start of an engine", tuple(setting.start() for _ in range(rounds)), "s")
    with ExitStack() as stack:
        if server:
            engine, _ = stack.enter_context(setting.opened())
            assert isinstance(engine, ServedEngine)
            setting = replace(setting, running=engine)
        requests = setting.recorded()
        ways: dict[str, Callable[[Engine, Tasks], object]] = {
            "flat replay": lambda engine, tasks: replay(engine, requests),
            "event loop": event_loop,
            "lockstep": lockstep,
            "one problem at a time": partial(event_loop, window=1),
        }
        jobs = {way: partial(setting.seconds, drive) for way, drive in ways.items()}
        measured = [Line(f"{name}: requests", (float(len(requests)),), "")]
        measured += against(name, interleaved(jobs, rounds), "s")
        if server:
            share = setting.cache(requests)
            measured.append(Line(f"{name}: prefix cache, hits of what prompts allow", (share,), "share"))
    return [*measured, started]
