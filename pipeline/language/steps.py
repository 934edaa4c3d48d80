"""The step contract as text: a solution is `Step 1: ...\\nStep 2: ...`, its last step holds the final answer.

A model is given the marker `Step n:` of the step that it is to write; the space after the colon is the model's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

MARKER = re.compile(r"^Step (\d+): ?", re.MULTILINE | re.ASCII)
STOP = "\nStep "  # sampling stops where the next step's marker begins


def marker(number: int) -> str:
    """The marker of a step, which stands at the end of the prompt for it."""
    return f"Step {number}:"


def cut(step: str) -> tuple[str, str]:
    """A step's marker and what follows it; the marker is empty where the text has none."""
    match = MARKER.match(step)
    end = match.end(1) + 1 if match else 0
    return step[:end], step[end:]


def split(solution: str) -> list[str]:
    """The steps of a solution, each with its marker; text before the first marker is no step and is refused.

    Raises ValueError if the text has no step, or text before the first one, or numbers out of order.
    """
    markers = list(MARKER.finditer(solution))
    if not markers:
        raise ValueError("no `Step n: ` marker")
    if solution[: markers[0].start()].strip():
        raise ValueError("text before the first step")
    numbers, starts = [match[1] for match in markers], [match.start() for match in markers]
    if numbers != [str(number) for number in range(1, len(numbers) + 1)]:
        raise ValueError(f"step numbers {', '.join(numbers)} are not 1..{len(numbers)}")
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


def clean(sampled: str, answer_end: Callable[[str], int | None]) -> str:
    """A sampled step's text: cut where the next marker begins or where the final answer's line ends, ends trimmed."""
    text = sampled.split(STOP, maxsplit=1)[0].strip()
    return text[: answer_end(text)].rstrip()
