"""The event loop beside other ways to drive the same searches: lockstep by depth, one problem at a time, flat replay.

Flat replay sends all requests of a search that was recorded at once, without what each of them waits for: nothing that
asks the same of the same engine is faster. Every run has a fresh engine: none finds the prefix cache of another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from benchmarks.sides import Line, against, interleaved
from pipeline.core import machine
from pipeline.core.records import Problem
from pipeline.inference.engines import open_engines
from pipeline.inference.loop import run
from pipeline.inference.requests import Completion, Engine, Request, Task
from pipeline.inference.settings import Inference
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import search
from pipeline.methods.psrlm.settings import Search

BLOCK = 32  # tokens of a block of the CPU engine's cache, as pipeline/inference/in_process.py sets it
SERVE = (
    "env VLLM_CPU_KVCACHE_SPACE=1 VLLM_CPU_OMP_THREADS_BIND=nobind OMP_NUM_THREADS=1 {python} -m "
    "vllm.entrypoints.openai.api_server --model {model} --host {host} --port {port} --dtype {dtype} --max-model-len "
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
        completions |= {int(key.partition("/")[2]): completion for key, completion in engine.step()}
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
    """What is searched, and on which engine."""

    model: Path
    problems: list[Problem]
    params: Inference
    here: machine.Inference
    search: Search

    @contextmanager
    def opened(self) -> Iterator[tuple[Engine, Tasks]]:
        """A fresh engine, and the tasks of all problems."""
        with open_engines({"policy": self.model}, self.params, self.here) as engines:
            renderer = Renderer(engines["policy"].tokenizer, "arithmetic")
            yield engines["policy"], {p.problem_id: search.search(renderer, p, self.search, 1) for p in self.problems}

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
        """The share of prompt tokens that a server found in its prefix cache, of the share that `allowed` counts."""
        with self.opened() as (engine, tasks):
            event_loop(engine, tasks)
            text = httpx.get(f"{engine._servers[0].url}/metrics").text
        counters = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("vllm:prefix_cache"))
        hits, queries = (
            sum(float(v) for k, v in counters.items() if k.startswith(f"vllm:prefix_cache_{name}_total"))
            for name in ("hits", "queries")
        )
        return hits / queries / allowed(requests, 1)


def lines(setting: Setting, rounds: int, server: bool) -> list[Line]:
    """All ways on the engine of a setting; on a server the event loop and flat replay, and what its cache does."""
    name = f"{'server' if server else 'pool'}, {setting.here.max_num_seqs} sequences"
    requests = setting.recorded()
    ways: dict[str, Callable[[Engine, Tasks], object]] = {
        "flat replay": lambda engine, tasks: replay(engine, requests),
        "event loop": event_loop,
    }
    if not server:
        ways |= {"lockstep": lockstep, "one problem at a time": partial(event_loop, window=1)}
    measured = against(
        name, interleaved({way: partial(setting.seconds, run) for way, run in ways.items()}, rounds), "s"
    )
    measured.append(Line(f"{name}: start of an engine", tuple(setting.start() for _ in range(rounds)), "s"))
    if server:
        measured.append(Line(f"{name}: prefix cache, hits of what prompts allow", (setting.cache(requests),), "share"))
    return [Line(f"{name}: requests", (float(len(requests)),), ""), *measured]
