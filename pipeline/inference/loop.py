"""One event loop over any number of tasks: no barrier between problems.

A task is a generator that yields a list of requests and is resumed with their completions, in order. It ends
with its result (`return`). While one problem waits for its judge, another samples its next step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any, TypeVar

from pipeline.inference.requests import Completion, Engine, Request, Task, Usage

Result = TypeVar("Result")
_LONGEST_WAIT = 1.0  # seconds, for engines that return nothing


@dataclass
class _Running:
    task: Task[object]
    name: str
    waiting: int = 0
    answers: list[Completion | None] = field(default_factory=list)


def run(
    engines: Mapping[str, Engine],
    tasks: Iterable[tuple[str, Task[Result]]],
    window: int,
    finished: Callable[[str, Result], None],
) -> Usage:
    """Drive named tasks to their end, at most `window` at a time; `finished` gets each result as it comes."""
    usage = Usage()
    sources = {source for engine in engines.values() for source in engine.sources}
    coming = enumerate(tasks)
    running: dict[int, _Running] = {}
    while True:
        while len(running) < window and (entry := next(coming, None)):
            group, (name, task) = entry
            running[group] = _Running(task, name)
            _advance(group, running, engines, finished, usage)
        if not running:
            return usage
        done = [entry for engine in engines.values() for entry in engine.step()]
        if sources and not done:
            wait(sources, timeout=_LONGEST_WAIT)
        for key, completion in done:
            group, index = map(int, key.split("/"))
            state = running[group]
            usage.sampled_tokens += completion.tokens
            state.answers[index] = completion
            state.waiting -= 1
            if state.waiting == 0:
                _advance(group, running, engines, finished, usage)


def _advance(
    group: int,
    running: dict[int, _Running],
    engines: Mapping[str, Engine],
    finished: Callable[[str, Result], None],
    usage: Usage,
) -> None:
    """Resume a task until it waits for requests or ends; an empty list of requests is answered at once."""
    state = running[group]
    answers: Any = state.answers or None  # what begins a generator
    requests: list[Request] = []
    while not requests:
        try:
            requests = state.task.send(answers)
        except StopIteration as stop:
            del running[group]
            finished(state.name, stop.value)
            return
        answers = []
    state.answers, state.waiting = [None] * len(requests), len(requests)
    usage.requests += len(requests)
    usage.prompt_tokens += sum(len(request.prompt_ids) for request in requests)
    for index, request in enumerate(requests):
        engines[request.model].submit(f"{group}/{index}", request, group)
