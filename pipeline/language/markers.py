"""Step markers as people and models write them, turned into the `Step n: ` that the step contract reads.

Read are `Step 1:`, `STEP 1 :`, `Step 1.`, `Step 1)`, `Step 1 -` at the start of a line, in Markdown or LaTeX emphasis
(`**Step 1:**`, `**Step 1: A title.**`, `\\textbf{Step 1:}`), as headings (`### Step 1`) and as items (`- Step 1:`).
Those without a colon must count up one by one: else the words are the text's own.
"""

from __future__ import annotations

import re

_BLANK = r"[ \t\u00a0]"
_OPEN = r"(?P<open>\*{1,3}|_{1,3}|\\(?:textbf|textit|emph|underline)\{)"
_CLOSED = rf"(?(open)(?:{_BLANK}*(?P<%s>\*{{1,3}}|_{{1,3}}|\}}))?)"  # emphasis ends here if it began before the marker
_MARKER = re.compile(
    rf"^{_BLANK}*(?:(?:#{{1,6}}|>|[-*+]){_BLANK}+)?{_OPEN}?{_BLANK}*step{_BLANK}*(?P<number>\d{{1,4}})"
    rf"{_CLOSED % 'early'}{_BLANK}*(?:(?P<colon>[:：])|\)|\.(?!\d)|[-–—](?={_BLANK})|$){_CLOSED % 'late'}",
    re.IGNORECASE | re.MULTILINE,
)


def normal(text: str) -> str:
    """The text with line ends as `\\n` and, if it is in steps, its markers as `Step n: ` from 1 on.

    What stands before the first marker goes into the first step.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    markers = list(_MARKER.finditer(text))
    numbers = [int(match["number"]) for match in markers]
    counted = bool(numbers) and numbers[0] < 2 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    if not markers or not (counted or all(match["colon"] for match in markers)):
        return text
    before, *bodies = _bodies(text, markers)
    first = [f"{before}\n{bodies[0]}" if before else bodies[0]]
    return "\n".join(f"Step {number}: {body}" for number, body in enumerate(first + bodies[1:], start=1))


def begins(text: str) -> bool:
    """Whether the text begins with a marker that has a colon."""
    match = _MARKER.match(text.lstrip())
    return match is not None and match["colon"] is not None


def _bodies(text: str, markers: list[re.Match[str]]) -> list[str]:
    """What stands before the first marker and after each, with emphasis that goes on (`**Step 1: A title.** Text`)."""
    starts, ends = [0, *(match.end() for match in markers)], [*(match.start() for match in markers), len(text)]
    emphasis = ["", *("" if match["early"] or match["late"] else match["open"] or "" for match in markers)]
    return [mark + text[start:end].strip() for mark, start, end in zip(emphasis, starts, ends, strict=True)]
