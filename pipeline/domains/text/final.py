"""How the final answer of a solution in words is marked and read: `Answer: ...`.

The answer is the rest of that line or, where nothing stands there, a fenced block below it or the lines up to an empty
one, so that a grid, a board or a JSON value can be an answer.
"""

from __future__ import annotations

import re

from pipeline.language.steps import MARKER

_MARK = re.compile(r"\b(?:final )?answer ?[*_]{0,2}:[*_]{0,2}", re.IGNORECASE)
_FORMS = (
    re.compile(r"[ \t]*(\S[^\n]*)"),
    re.compile(r"[ \t]*\n```\w*\n(.*?)\n?```", re.DOTALL),
    re.compile(r"[ \t]*\n([^\S\n]*\S[^\n]*(?:\n[^\S\n]*\S[^\n]*)*)"),
)


def marked(text: str, last: bool = False) -> tuple[int, re.Match[str]] | None:
    """Where the first mark (or the last) begins that an answer follows, and the answer; None where there is none."""
    marks = list(_MARK.finditer(text))
    for mark in reversed(marks) if last else marks:
        if answer := next(filter(None, (form.match(text, mark.end()) for form in _FORMS)), None):
            return mark.start(), answer
    return None


def end(text: str) -> int | None:
    """Where the first marked answer ends, None where there is none."""
    first = marked(text)
    return first[1].end() if first else None


def read(text: str) -> str | None:
    """The final answer: the one marked last, else the last line that is not empty; None for an empty text."""
    answer = marked(text, last=True)
    lines = [answer[1][1]] if answer else [MARKER.sub("", line) for line in text.split("\n")]
    return next((bare for line in reversed(lines) if (bare := line.strip().strip("*").strip())), None)
