"""Near-copies among training prompts: the same numbers, operators and variables in order, nearly the same words.

Another name, an article or a mark changed makes a near-copy. Other numbers make another problem, with another answer:
one template filled in twice is two problems, which MinHash over shingles does not tell apart.
"""

from __future__ import annotations

import math

from pipeline.data.decontaminate import signs

_OPERATORS = frozenset("+-*/=<>^%|()")
Skeleton = tuple[str, ...]
Parts = tuple[Skeleton, frozenset[str]]


def apart(text: str) -> Parts:
    """What must be equal in two near-copies (numbers, operators, variables, in order), and the set of their words."""
    skeleton: list[str] = []
    words, factor = set[str](), False  # factor: what `!` would be the factorial of, and no exclamation
    for sign in signs(text):
        variable = len(sign) == 1 and sign.isascii() and sign.isalpha() and sign != "a"
        if variable or sign.isdigit() or sign in _OPERATORS or (sign == "!" and factor):
            skeleton.append(sign)
        elif sign[0].isalpha():
            words.add(sign)
        factor = variable or sign.isdigit() or sign == ")"
    return tuple(skeleton), frozenset(words)


class NearCopies:
    """Prompts taken by roles, and which of them a new prompt is a near-copy of.

    share: words in common among all words of both (Jaccard), from which on two are near-copies. The search is exact:
    of two sets that share so much, the first few words in one fixed order (longest first, as these are rare) have one
    in common. Time is linear where prompts differ; memory is that of the prompts.
    """

    def __init__(self, share: float) -> None:
        self.share = share
        self._taken: list[tuple[str, str]] = []  # role, prompt
        self._by_word: dict[tuple[Skeleton, str], list[int]] = {}

    def find(self, parts: Parts) -> tuple[str, str] | None:
        """Role and text of the first prompt taken that is near to one with these parts, or None."""
        skeleton, words = parts
        places = {place for word in self._first(words) for place in self._by_word.get((skeleton, word), ())}
        for place in sorted(places):
            other = apart(self._taken[place][1])[1]
            if len(words & other) >= self.share * len(words | other):
                return self._taken[place]
        return None

    def take(self, role: str, prompt: str, parts: Parts) -> None:
        """Remember a prompt of a role, with its parts."""
        skeleton, words = parts
        for word in self._first(words):
            self._by_word.setdefault((skeleton, word), []).append(len(self._taken))
        self._taken.append((role, prompt))

    def _first(self, words: frozenset[str]) -> list[str]:
        enough = len(words) - math.ceil(self.share * len(words)) + 1
        return sorted(words, key=lambda word: (-len(word), word))[:enough]
