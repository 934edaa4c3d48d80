"""Reference rows: whole solutions of a model behind an OpenAI-compatible endpoint (the paper's GPT-4o)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.core.command import Stage
from pipeline.core.config import Sampling
from pipeline.core.records import Problem
from pipeline.inference import endpoint
from pipeline.inference.endpoint import Question
from pipeline.inference.requests import Completion, seed_of
from pipeline.inference.settings import Reference
from pipeline.language import prompts


def solutions(
    stage: Stage, settings: Reference, problems: Sequence[Problem], drawn: Mapping[str, Problem], sampling: Sampling
) -> dict[str, Completion]:
    """The model's solution of every problem, by its id, and its samples `drawn` for avg@k, by their keys.

    sampling: of the samples, with the reference's own cap. A problem that the server refuses has a solution without
    text that ended as `refused`, so that it counts as one not solved. Raises PipelineError as `endpoint.ask` does.
    """
    often = sampling.model_copy(update={"max_tokens": settings.sampling.max_tokens})
    family = stage.family
    questions = {p.problem_id: Question(_prompt(family, p), settings.sampling) for p in problems}
    questions |= {key: Question(_prompt(family, p), often, seed_of(key)) for key, p in drawn.items()}
    answers = endpoint.ask("reference", questions, stage.key, settings, stage.machine.endpoints, "reference")
    return {
        key: Completion(a.text, "refused" if a.refused else a.finish, a.sampled_tokens, ended=a.finish == "stop")
        for key, a in answers.items()
    }


def _prompt(family: str, problem: Problem) -> str:
    return prompts.fill(family, "reasoning", problem=problem.prompt)
