"""Near-copies among training prompts: the same numbers, operators and variables in order, nearly the same words.

Another name, an article or a mark changed makes a near-copy. Other numbers make another problem, with another answer:
one template filled in twice is two problems, which MinHash over shingles does not tell apart.
"""

from __future__ import annotations

import math

from pipeline.data.decontaminate import signs

_OPERATORS = frozenset("+-*/=<>^%!|()")
Skeleton = tuple[str, ...]


def parts(text: str) -> tuple[Skeleton, frozenset[str]]:
    """What must be equal in two near-copies (numbers, operators, variables, in order), and the set of their words."""
    skeleton, words = [], set()
    for sign in signs(text):
        variable = len(sign) == 1 and sign.isascii() and sign.isalpha() and sign != "a"
        if variable or sign.isdigit() or sign in _OPERATORS:
            skeleton.append(sign)
        elif sign[0].isalpha():
            words.add(sign)
    return tuple(skeleton), frozenset(words)


class NearCopies:
    """Prompts taken by roles, to be asked for one that a new prompt is a near-copy of.

    share: words in common among all words of both (Jaccard), from which on two are near-copies. The search is exact:
    of two sets that share so much, the first few words in one fixed order (longest first, as these are rare) have one
    in common. Time is linear where prompts differ; memory is that of the prompts.
    """

    def __init__(self, share: float) -> None:
        self.share = share
        self._taken: list[tuple[str, str, tuple[str, ...]]] = []  # role, prompt, words
        self._by_word: dict[tuple[Skeleton, str], list[int]] = {}
        self._same: dict[str, str] = {}  # one object a word
        self._skeletons: dict[Skeleton, Skeleton] = {}

    def find(self, prompt: str) -> tuple[str, str] | None:
        """Role and text of the first prompt taken that is near to this one, or None."""
        skeleton, words = parts(prompt)
        places = {place for word in self._first(words) for place in self._by_word.get((skeleton, word), ())}
        for place in sorted(places):
            role, text, other = self._taken[place]
            common = sum(word in words for word in other)
            if common >= self.share * (len(words) + len(other) - common):
                return role, text
        return None

    def take(self, prompt: str, role: str) -> None:
        """Remember a prompt of a role."""
        skeleton, words = parts(prompt)
        skeleton = self._skeletons.setdefault(skeleton, skeleton)
        for word in self._first(words):
            self._by_word.setdefault((skeleton, self._same.setdefault(word, word)), []).append(len(self._taken))
        self._taken.append((role, prompt, tuple(self._same.setdefault(word, word) for word in sorted(words))))

    def _first(self, words: frozenset[str]) -> list[str]:
        enough = len(words) - math.ceil(self.share * len(words)) + 1
        return sorted(words, key=lambda word: (-len(word), word))[:enough]
