"""The step contract, shared by sampler, judge, pairs and trainers.

A solution is `Step 1: ...\\nStep 2: ...`, its last step holds `\\boxed{}`. Steps are tokenised apart from the
prompt and from each other, so the ids a model is sampled with are the ids it is trained on. A step that is
not the last ends with a newline; the end-of-sequence token belongs to the last step alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from pipeline.language import boxes

MARKER = re.compile(r"^Step (\d+): ?", re.MULTILINE)
STOP = "\nStep "  # sampling stops where the next step's marker begins


class Tokenizer(Protocol):
    """The part of a Hugging Face tokenizer that the contract needs."""

    eos_token_id: int

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Token ids of `text`."""
        ...


def split(solution: str) -> list[str]:
    """The steps of a solution, each with its marker; text before the first marker is no step and is refused.

    Raises ValueError if the text has no step, or text before the first one, or numbers out of order.
    """
    starts = [match.start() for match in MARKER.finditer(solution)]
    if not starts:
        raise ValueError("no `Step n: ` marker")
    if solution[: starts[0]].strip():
        raise ValueError("text before the first step")
    numbers = [int(match[1]) for match in MARKER.finditer(solution)]
    if numbers != list(range(1, len(numbers) + 1)):
        raise ValueError(f"step numbers {numbers} are not 1..{len(numbers)}")
    ends = [*starts[1:], len(solution)]
    return [solution[start:end].rstrip("\n") for start, end in zip(starts, ends, strict=True)]


def parts(solution: str) -> tuple[str, ...]:
    """The steps of a solution, or its whole text as one where it is not in `Step n: ` form."""
    try:
        return tuple(split(solution))
    except ValueError:
        return (solution,)


def join(steps: Sequence[str]) -> str:
    """The solution's text."""
    return "\n".join(steps)


def body(step: str) -> str:
    """A step without its marker, white space folded: what counts when two candidates are compared."""
    return " ".join(MARKER.sub("", step, count=1).split())


def is_answer(step: str) -> bool:
    """Whether the step boxes a final answer, so that it is the last one."""
    return boxes.answer_end(step) is not None


def clean(sampled: str) -> str:
    """A sampled step's text: cut where the next marker begins or after the boxed answer's line, ends trimmed."""
    text = sampled.split(STOP, maxsplit=1)[0].strip()
    return text[: boxes.answer_end(text)].rstrip()


def prompt_ids(tokenizer: Tokenizer, prompt: str, steps: Sequence[str]) -> list[int]:
    """Ids of the reasoning prompt with the steps so far: where the next step is sampled and trained."""
    ids = tokenizer.encode(prompt, add_special_tokens=False)
    for step in steps:
        ids += step_ids(tokenizer, step, terminal=False)
    return ids


def step_ids(tokenizer: Tokenizer, step: str, *, terminal: bool) -> list[int]:
    """Ids of one step: its text, then a newline, or the end-of-sequence token if it is the last."""
    if terminal:
        return [*tokenizer.encode(step, add_special_tokens=False), tokenizer.eos_token_id]
    return tokenizer.encode(step + "\n", add_special_tokens=False)


def text_ids(tokenizer: Tokenizer, text: str, *, terminal: bool) -> list[int]:
    """Ids of one step or of several joined ones (a whole solution), each tokenised apart; `terminal` is the last's."""
    *before, last = re.split(r"\n(?=Step \d)", text)
    ids: list[int] = []
    for step in before:
        ids += step_ids(tokenizer, step, terminal=False)
    return ids + step_ids(tokenizer, last, terminal=terminal)


def solution_ids(tokenizer: Tokenizer, steps: Sequence[str]) -> list[int]:
    """Ids of a whole solution, end-of-sequence included."""
    ids: list[int] = []
    for index, step in enumerate(steps):
        ids += step_ids(tokenizer, step, terminal=index == len(steps) - 1)
    return ids
