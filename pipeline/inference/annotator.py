"""Annotators that write text for a prompt: an OpenAI-compatible endpoint, or a local model through our engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.core.command import Stage
from pipeline.core.errors import PipelineError
from pipeline.inference import endpoint, work
from pipeline.inference.endpoint import Question
from pipeline.inference.requests import Completion, Task, sampled, seed_of
from pipeline.inference.settings import Annotator
from pipeline.language.renderer import Renderer


def answers(stage: Stage, prompts: Mapping[str, str], settings: Annotator, attempt: int = 0) -> dict[str, str]:
    """The annotator's text for each prompt, by key; another `attempt` asks again, with other seeds.

    Raises PipelineError as `endpoint.ask` does.
    """
    if settings.kind == "model":
        return _local(stage, prompts, settings, attempt)
    if settings.kind != "endpoint":
        raise PipelineError(f"annotator.kind: {settings.kind!r} writes no text for {stage.name}; give another kind")
    questions = {key: Question(prompt, settings.sampling, attempt) for key, prompt in prompts.items()}
    said = endpoint.ask(stage.name, questions, settings.model, settings, stage.machine.endpoints, "annotator")
    return {key: answer.text for key, answer in said.items()}


def _local(stage: Stage, prompts: Mapping[str, str], settings: Annotator, attempt: int) -> dict[str, str]:
    def tasks(renderer: Renderer) -> dict[str, Task[Completion]]:
        return {key: _complete(renderer, text, seed_of(key, attempt), settings) for key, text in prompts.items()}

    models = {"policy": Path(settings.model)}
    found = work.results(stage, models, tasks, Completion, settings, attempt, tuple(prompts.items()))
    return {key: completion.text for key, completion in found.items()}


def _complete(renderer: Renderer, prompt: str, seed: int, settings: Annotator) -> Task[Completion]:
    (completion,) = yield [sampled(renderer, renderer.turn(prompt), settings.sampling, seed)]
    return completion
