"""Multiple choice: the letter of the right option, or its text. The gold answer is `B. its text`, or a letter alone."""

from __future__ import annotations

import re

from pipeline.domains.graders.exact import bare

# `B`, `(B)`, `B.`, `b)`, `**B:** its text`, `option B`; a word that begins with the letter is none.
_LABEL = re.compile(
    r"(?:(?:option|choice|answer)\s+)?[*(\[{\"' ]*([a-z]|\d{1,2})(?:[*)\]}\"' ]*$|[*]*[).:\]}][*]*(?:\s+|$))(.*)"
)


def _read(answer: str) -> tuple[str, str]:
    """The label of an answer, or "", and its text, both bare."""
    text = " ".join(answer.casefold().split())
    labelled = _LABEL.match(text.rstrip(". "))
    return (labelled[1], bare(labelled[2])) if labelled else ("", bare(text))


def alike(answer: str, other: str) -> bool:
    """Whether two answers choose the same: by their labels where both have one, else by their texts."""
    (label, text), (other_label, other_text) = _read(answer), _read(other)
    return label == other_label if label and other_label else text == other_text != ""


right = alike  # where an answer gives a letter, that decides whatever stands behind it
