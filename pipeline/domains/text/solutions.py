"""How a solution in words is cut into steps by rule: a step a line, the final answer with the line before it."""

from __future__ import annotations

from pipeline.domains.text import final
from pipeline.language import markers, steps


def by_line(solution: str) -> str:
    """The rule-based segmenter: the solution's own steps, or every line that is not empty."""
    text = markers.normal(solution)
    if steps.MARKER.match(text):
        return text
    answer = final.marked(text, last=True)
    place = answer[0] if answer else len(text)
    start = text.rfind("\n", 0, place) + 1 if answer else place
    parts = [line.strip() for line in text[:start].split("\n") if line.strip()]
    if last := text[start:].strip():
        alone = not text[start:place].strip("*_# \t")  # nothing but the answer in its line
        parts[-1:] = ["\n".join([*parts[-1:], last])] if alone else [*parts[-1:], last]
    return steps.join([f"Step {number}: {part}" for number, part in enumerate(parts, start=1)])


def broken(text: str) -> bool:
    """Whether a text was damaged on its way; words do not show it."""
    return False
