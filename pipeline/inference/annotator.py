"""Annotators that write text for a prompt: an OpenAI-compatible endpoint, or a local model through our engine."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.files import counts
from pipeline.core.params import Annotator
from pipeline.core.params import Engine as EngineParams
from pipeline.core.records import Dropped
from pipeline.inference import Completion, Request, Task, endpoint, seed_of, thinking, work
from pipeline.inference.endpoint import Question


class Texts(dict[str, str]):
    """What an annotator wrote, by key: the answer alone, without the thinking before it.

    missing: why a key has no text, a reason and the server's own words. Reasons: `refused` (by the server or the
    model), `length` (cut by sampling.max_tokens before the answer), `context` (the prompt does not fit), `empty`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.missing: dict[str, tuple[str, str]] = {}

    def add(self, key: str, text: str, finish: str, refused: str = "") -> None:
        """One answer, or why there is none."""
        if text:
            self[key] = text
        elif refused:
            self.missing[key] = ("refused", refused)
        else:
            self.missing[key] = (finish if finish in ("length", "context") else "empty", finish)


def answers(
    name: str, prompts: Mapping[str, str], settings: Annotator, engine: EngineParams, attempt: int = 0
) -> Texts:
    """The annotator's text for each prompt, by key; another `attempt` asks again, with other seeds.

    Raises PipelineError as `endpoint.ask` does.
    """
    found = Texts()
    if settings.kind == "model":
        for key, completion in _local(name, prompts, settings, engine, attempt).items():
            found.add(key, thinking.answer(completion.text), completion.finish)
        return found
    if settings.kind != "endpoint":
        raise PipelineError(f"annotator.kind: {settings.kind!r} writes no text for {name}; give `endpoint` or `model`")
    questions = {key: Question(prompt, settings.sampling, attempt) for key, prompt in prompts.items()}
    for key, answer in endpoint.ask(name, questions, settings.model, settings, "annotator").items():
        found.add(key, answer.text, answer.finish, answer.refused)
    return found


def require_some(stage: str, kept: Sequence[object], dropped: Sequence[Dropped]) -> None:
    """Raise PipelineError, counting the reasons, where an annotator was asked and not one row came of it."""
    if dropped and not kept:
        reasons = counts([row.reason for row in dropped])
        listed = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items(), key=lambda item: -item[1]))
        raise PipelineError(
            f"{stage}: no row is left of {len(dropped)} that the annotator was asked for ({listed}); the first, "
            f"{dropped[0].key}: {_shown(dropped[0].text)!r}; correct annotator.model, or raise "
            "annotator.sampling.max_tokens, which a model's thinking spends too"
        )


def _shown(text: str) -> str:
    folded = " ".join(text.split())
    return folded if len(folded) <= 80 else f"{folded[:80]}..."


def _local(
    name: str, prompts: Mapping[str, str], settings: Annotator, engine: EngineParams, attempt: int
) -> dict[str, Completion]:
    def tasks(tokenizer: Any) -> dict[str, Task[Completion]]:
        return {key: _complete(tokenizer, prompt, seed_of(key, attempt), settings) for key, prompt in prompts.items()}

    models = {"policy": Path(settings.model)}
    depends_on = (settings, attempt, tuple(prompts.items()))
    with work.results(name, models, engine, tasks, Completion, depends_on, engine.window) as found:
        return found


def _complete(
    tokenizer: Any, prompt: str, seed: int, settings: Annotator
) -> Generator[list[Request], list[Completion], Completion]:
    ids = tuple(tokenizer.encode(prompt, add_special_tokens=False))
    sampling = settings.sampling
    (completion,) = yield [Request(ids, sampling.max_tokens, sampling.temperature, sampling.top_p, seed=seed)]
    return completion
