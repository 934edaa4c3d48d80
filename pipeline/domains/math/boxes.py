"""Where a boxed answer ends."""

from __future__ import annotations


def answer_end(text: str) -> int | None:
    """The index just after the first complete `\\boxed{...}`, or None if there is none."""
    start = text.find("\\boxed{")
    if start < 0:
        return None
    depth = 0
    for index in range(start + len("\\boxed"), len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index + 1
    return None
