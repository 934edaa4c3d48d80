"""Annotators that write text for a prompt: an OpenAI-compatible endpoint, or a local model through our engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pipeline.core.command import Stage
from pipeline.core.errors import PipelineError
from pipeline.inference import endpoint, thinking, work
from pipeline.inference.endpoint import Question
from pipeline.inference.requests import Completion, Task, sampled, seed_of
from pipeline.inference.settings import Annotator
from pipeline.language.renderer import Renderer


class Texts(dict[str, str]):
    """What an annotator wrote, by key: the answer alone, without the thinking before it.

    missing: why a key has no text, a reason and the server's own words. Reasons: `refused` (by the server or the
    model), `length` (cut by sampling.max_tokens before the answer), `context` (the prompt does not fit), `empty`.
    """

    def __init__(self, texts: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(texts)
        self.missing: dict[str, tuple[str, str]] = {}

    def add(self, key: str, text: str, finish: str, refused: str = "") -> None:
        """One answer, or why there is none."""
        if text:
            self[key] = text
        elif refused:
            self.missing[key] = ("refused", refused)
        else:
            self.missing[key] = (finish if finish in ("length", "context") else "empty", finish)


def answers(stage: Stage, prompts: Mapping[str, str], settings: Annotator, attempt: int = 0) -> Texts:
    """The annotator's text for each prompt, by key; another `attempt` asks again, with other seeds.

    Raises PipelineError as `endpoint.ask` does.
    """
    texts = Texts()
    if settings.kind == "model":
        completions = work.results(
            stage,
            {"policy": Path(settings.model)},
            lambda r: {key: _complete(r, text, seed_of(key, attempt), settings) for key, text in prompts.items()},
            Completion,
            depends_on=(settings, attempt, tuple(prompts.items())),
        )
        for key, completion in completions.items():
            texts.add(key, thinking.answer(completion.text), completion.finish)
        return texts
    if settings.kind != "endpoint":
        raise PipelineError(f"annotator.kind: {settings.kind!r} writes no text for {stage.name}; give another kind")
    questions = {key: Question(prompt, settings.sampling, attempt) for key, prompt in prompts.items()}
    here = stage.machine.endpoints
    for key, answer in endpoint.ask(stage.name, questions, settings.model, settings, here, "annotator").items():
        texts.add(key, answer.text, answer.finish, answer.refused)
    return texts


def _complete(renderer: Renderer, prompt: str, seed: int, settings: Annotator) -> Task[Completion]:
    (completion,) = yield [sampled(renderer, renderer.turn(prompt), settings.sampling, seed)]
    return completion
