"""How the final answer of this world is marked and read: one word after `The answer is`."""

from __future__ import annotations

import re

_ANSWER = re.compile(r"The answer is (\w+)")


def end(text: str) -> int | None:
    """Where the first answer ends, or None if there is none."""
    first = _ANSWER.search(text)
    return first.end() if first else None


def read(text: str) -> str | None:
    """The last answer of a solution, None where it has none."""
    answers: list[str] = _ANSWER.findall(text)
    return answers[-1] if answers else None
