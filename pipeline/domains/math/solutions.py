"""How a mathematical solution is cut into steps by rule, and when its text is broken."""

from __future__ import annotations

from pipeline.domains.math import segments
from pipeline.domains.math.escapes import broken
from pipeline.language import markers, steps

__all__ = ["broken", "by_line"]


def by_line(solution: str) -> str:
    """The rule-based segmenter: the solution's own steps, or every line that is not empty; no formula is ever cut."""
    text = markers.normal(solution)
    if steps.MARKER.match(text):
        return text
    return steps.join([f"Step {number}: {part}" for number, part in enumerate(segments.lines(text), start=1)])
