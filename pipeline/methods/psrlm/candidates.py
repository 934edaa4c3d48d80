"""Candidate next steps: the requests that sample them, and the merging of equal ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pipeline.core.params import Sampling
from pipeline.core.records import Candidate
from pipeline.inference import Completion, Request, seed_of
from pipeline.language import steps


def sample(
    tokenizer: Any, question: str, done: Sequence[str], width: int, sampling: Sampling, place: int
) -> list[Request]:
    """Requests for `width` candidate next steps after the steps `done`."""
    ids = tuple(steps.prompt_ids(tokenizer, question, done))
    return [
        Request(ids, sampling.max_tokens, sampling.temperature, sampling.top_p, (steps.STOP,), seed_of(place, i))
        for i in range(width)
    ]


def merge(answers: Sequence[Completion], number: int) -> tuple[Candidate, ...]:
    """Distinct candidates of step `number` with their votes and tokens, in order of first appearance.

    finish becomes `step` for a usable step, else why it is none: `length` (cap reached before the step ended),
    `no_marker` (it does not begin with `Step n: `), `context`.
    """
    found: dict[str, Candidate] = {}
    for answer in answers:
        text = steps.clean(answer.text)
        boxed = steps.is_answer(text)
        finish = "step" if answer.finish == "stop" or boxed else answer.finish
        if finish == "step" and not text.startswith(f"Step {number}: "):
            finish = "no_marker"
        key = f"{finish} {steps.body(text)}"
        before = found.get(key)
        if before is None:
            found[key] = Candidate(text, 1, 0.0, finish, boxed or answer.ended, answer.tokens)
        else:
            found[key] = replace(before, votes=before.votes + 1, tokens=before.tokens + answer.tokens)
    return tuple(found.values())
