"""Annotators that write text for a prompt: an OpenAI-compatible endpoint, or a local model through our engine."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.params import Annotator
from pipeline.core.params import Engine as EngineParams
from pipeline.inference import Completion, Request, Task, endpoint, seed_of, work
from pipeline.inference.endpoint import Question


def answers(
    name: str, prompts: Mapping[str, str], settings: Annotator, engine: EngineParams, attempt: int = 0
) -> dict[str, str]:
    """The annotator's text for each prompt, by key; another `attempt` asks again, with other seeds.

    Raises PipelineError as `endpoint.ask` does.
    """
    if settings.kind == "model":
        return _local(name, prompts, settings, engine, attempt)
    if settings.kind != "endpoint":
        raise PipelineError(f"annotator.kind: {settings.kind!r} writes no text for {name}; give `endpoint` or `model`")
    questions = {key: Question(prompt, settings.sampling, attempt) for key, prompt in prompts.items()}
    said = endpoint.ask(name, questions, settings.model, settings, "annotator")
    return {key: answer.text for key, answer in said.items()}


def _local(
    name: str, prompts: Mapping[str, str], settings: Annotator, engine: EngineParams, attempt: int
) -> dict[str, str]:
    def tasks(tokenizer: Any) -> dict[str, Task[Completion]]:
        return {key: _complete(tokenizer, prompt, seed_of(key, attempt), settings) for key, prompt in prompts.items()}

    models = {"policy": Path(settings.model)}
    depends_on = (settings, attempt, tuple(prompts.items()))
    with work.results(name, models, engine, tasks, Completion, depends_on, engine.window) as found:
        return {key: completion.text for key, completion in found.items()}


def _complete(
    tokenizer: Any, prompt: str, seed: int, settings: Annotator
) -> Generator[list[Request], list[Completion], Completion]:
    ids = tuple(tokenizer.encode(prompt, add_special_tokens=False))
    sampling = settings.sampling
    (completion,) = yield [Request(ids, sampling.max_tokens, sampling.temperature, sampling.top_p, seed=seed)]
    return completion
