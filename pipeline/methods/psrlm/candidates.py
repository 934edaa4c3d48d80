"""Candidate next steps: the requests that sample them, and the merging of equal ones."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import replace

from pipeline.core.config import Sampling
from pipeline.core.records import Candidate
from pipeline.inference.requests import Completion, Request, samples
from pipeline.language import markers, steps
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm.settings import Search


def sample(
    renderer: Renderer, problem: str, done: Sequence[str], width: int, sampling: Sampling, seed: int
) -> list[Request]:
    """Requests for `width` candidate next steps after the steps `done`."""
    ids = renderer.reasoning(problem, done)
    return samples(renderer, ids, sampling, width, seed, stop=(steps.STOP,))


def in_waves(
    renderer: Renderer, problem: str, done: Sequence[str], settings: Search, seed: int
) -> Generator[list[Request], list[Completion], tuple[Candidate, ...]]:
    """The distinct candidates of `settings.width` samples, or of the first wave where that holds one usable step alone,
    to which the model gives at least the probability `settings.sure`: the others would hardly differ.

    A sample has the seed of its number in either wave, so that a second wave makes the candidates of one wave.
    """
    first = settings.first_wave or settings.width
    requests = sample(renderer, problem, done, first, settings.sampling, seed)
    answers = yield [replace(one, likelihood=settings.sure > 0) for one in requests]
    distinct = merge(renderer, answers, number=len(done) + 1)
    if first == settings.width or (len(distinct) == 1 and distinct[0].usable and _sure(answers, settings.sure)):
        return distinct
    more = yield sample(renderer, problem, done, settings.width - first, settings.sampling, seed + first)
    return merge(renderer, [*answers, *more], number=len(done) + 1)


def _sure(equal: Sequence[Completion], least: float) -> bool:
    """Whether the model gives completions of one text at least this probability, at temperature 1."""
    return all(answer.logprob is None or math.exp(answer.logprob) >= least for answer in equal)


def merge(renderer: Renderer, answers: Sequence[Completion], number: int) -> tuple[Candidate, ...]:
    """Distinct candidates of step `number` with their votes and tokens, in order of first appearance.

    Each text gets the marker that ended its prompt. finish becomes `step` for a usable step, else why it is none:
    `length` (cap reached before the step ended), `empty` (nothing follows the marker), `marker` (another one follows
    it), `context`.
    """
    marker = steps.marker(number)
    distinct: dict[str, Candidate] = {}
    for answer in answers:
        text = steps.clean(marker + answer.text, renderer.answer_end)
        final = renderer.answer_end(text) is not None
        finish = "step" if answer.finish == "stop" or final else answer.finish
        rest = text.removeprefix(marker)
        if finish == "step" and (not rest or markers.begins(rest)):
            finish = "marker" if rest else "empty"
        key = f"{finish} {steps.body(text)}"
        before = distinct.get(key, Candidate(text, 0, 0.0, finish, final or answer.ended))
        distinct[key] = replace(before, votes=before.votes + 1, tokens=before.tokens + answer.tokens)
    return tuple(distinct.values())
