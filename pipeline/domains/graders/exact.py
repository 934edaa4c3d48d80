"""The same text, but for case, white space and the marks that end a sentence."""

from __future__ import annotations

import unicodedata


def bare(text: str) -> str:
    """A text as it is compared: NFKC, case folded, white space as one space, without what surrounds or ends it."""
    words = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return words.strip("*_`\"'“”‘’ ").rstrip(".!,;: ").strip("*_`\"'“”‘’ ")


def alike(answer: str, other: str) -> bool:
    """Whether two answers say the same."""
    return bare(answer) == bare(other)


right = alike
